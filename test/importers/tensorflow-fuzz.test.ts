import { describe, expect, it } from 'vitest';
import { expectSound, subjects } from './tensorflow-fuzz-suite.ts';

describe.each(subjects)('%s', (_, subject) => {
  it('runs whole', async () => expect(await subject.use(subject.bytes)).toBe('ran'));

  it('is refused with the place of the damage, or runs', () => expectSound(subject, 2026, 200), 60_000);
});
