import { describeRaces } from './race.ts';

describeRaces([2, 4, 8]);
