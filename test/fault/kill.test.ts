import { describeKills } from './kill-suite.ts';

describeKills(3, 140);
