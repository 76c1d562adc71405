import { describeKills, someKills } from '../fault/kills.ts';

describeKills(someKills(80, 2), 1_800_000);
