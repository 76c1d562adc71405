import { describe, expect, it } from 'vitest';
import { expectSoundKeras } from './keras-fuzz-suite.ts';
import { kerasSubjects } from './keras-fuzz.ts';

describe.each(await kerasSubjects())('$name', (subject) => {
  it('runs while it is whole', async () => expect(await subject.use(subject.bytes)).toBe('ran'));

  it(
    'is refused with the place of the fault once it is damaged, or runs',
    () => expectSoundKeras(subject, 7, subject.name.endsWith('.h5') ? 60 : 300),
    120_000,
  );
});
