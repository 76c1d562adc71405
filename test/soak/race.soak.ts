import { describeRaces } from '../fault/race.ts';

describeRaces(Array.from({ length: 50 }, (_, round) => 2 + (round % 7)));
