import { describeFuzz } from './fuzz-suites.ts';

// Above 20,000 files even where the models by others are missing.
describeFuzz(2026, 5);
