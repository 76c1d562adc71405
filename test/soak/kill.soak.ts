import { describeKills } from '../fault/kill-suite.ts';

describeKills(200, 1);
