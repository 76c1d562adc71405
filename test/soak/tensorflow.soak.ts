import { it } from 'vitest';
import { expectSound, subjects } from '../importers/tensorflow-fuzz-suite.ts';

it.each(subjects)(
  '20,000 damaged copies of a %s are refused with the place of the fault, or run',
  (_, subject) => expectSound(subject, 1, 20_000),
  1_800_000,
);
