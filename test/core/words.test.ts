import { expect, it } from 'vitest';
import { counted } from '../../src/core/words.ts';

it('a count agrees with its noun', () => {
  expect([0, 1, 2].map((count) => counted(count, 'image'))).toEqual(['0 images', '1 image', '2 images']);
  expect([1, 2].map((count) => counted(count, 'entry', 'entries'))).toEqual(['1 entry', '2 entries']);
});
