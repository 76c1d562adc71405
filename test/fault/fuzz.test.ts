import { describeFuzz } from './fuzz-suites.ts';

// The soak tests make 20,000 of each.
describeFuzz(2026, 2);
