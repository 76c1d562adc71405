import { it } from 'vitest';
import { expectSoundKeras } from '../importers/keras-fuzz-suite.ts';
import { kerasSubjects } from '../importers/keras-fuzz.ts';

it.each(await kerasSubjects())(
  '20,000 damaged copies of $name are refused with the place of the fault, or run',
  (subject) => expectSoundKeras(subject, 1, 20_000),
  1_800_000,
);
