/** kill -9 at any moment leaves a whole result or none; the next run writes what an undisturbed one writes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  countChanges,
  expectClean,
  killAtChange,
  killAtRandom,
  makeFolder,
  outputsIn,
  removeFolder,
  runOnce,
} from './kill.ts';

/**
 * @param random how many runs are killed at random moments
 * @param stride 1 kills a run at each change of the disk, 2 at every other one, and so on
 */
export function describeKills(random: number, stride: number): void {
  describe('a run that is killed', { timeout: 3_600_000 }, () => {
    const undisturbed = makeFolder();
    beforeAll(() => runOnce(undisturbed));
    afterAll(() => removeFolder(undisturbed));

    it(`at ${random} random moments leaves whole results or none`, async () => {
      const folder = makeFolder();
      expect(await killAtRandom(folder, random, 1)).toBeGreaterThan(0);
      await runOnce(folder);
      expect(outputsIn(folder)).toEqual(outputsIn(undisturbed));
      await expectClean(folder);
      removeFolder(folder);
    });

    it.each(['before', 'after'] as const)('%s a change of the disk leaves whole results or none', async (when) => {
      const counted = makeFolder();
      const changes = await countChanges(counted);
      removeFolder(counted);
      expect(changes).toBeGreaterThan(100);
      let killed = 0;
      for (let at = 1 + (when === 'after' ? stride >> 1 : 0); at <= changes; at += stride) {
        const folder = makeFolder();
        if (await killAtChange(folder, at, when)) killed++;
        await runOnce(folder);
        expect(outputsIn(folder), `killed ${when} change ${at} of ${changes}`).toEqual(outputsIn(undisturbed));
        await expectClean(folder);
        removeFolder(folder);
      }
      console.info(`killed ${when} ${killed} of ${changes} changes of the disk`);
      expect(killed).toBeGreaterThan(0);
    });
  });
}
