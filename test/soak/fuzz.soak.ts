import { describeFuzz } from '../fault/fuzz-suites.ts';

describeFuzz(1, 20);
