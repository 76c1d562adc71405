/** Reading `events.ndjson` while its run still writes it. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { eventReader } from '../../src/runner/event-reader.ts';

const folder = mkdtempSync(join(tmpdir(), 'qpipe-events-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'events.ndjson');
const time = '2026-01-01T00:00:00.000Z';
const line = (message: string): string => `${JSON.stringify({ kind: 'stage-log', time, stage: 'qat', message })}\n`;

describe('a reader of events', () => {
  it('gives each event once, and a half-written line when it is whole, wherever it was cut', async () => {
    const whole = Buffer.from(line('größer, 日本'));
    for (let cut = 1; cut < whole.length; cut++) {
      writeFileSync(file, line('first'));
      const read = eventReader(folder);
      appendFileSync(file, whole.subarray(0, cut));
      expect(await read()).toMatchObject([{ message: 'first' }]);
      expect(await read()).toEqual([]);
      appendFileSync(file, whole.subarray(cut));
      expect(await read()).toMatchObject([{ message: 'größer, 日本' }]);
      expect(await read()).toEqual([]);
    }
  });

  it('goes on where a line that did not fit on the disk was taken back', async () => {
    writeFileSync(file, line('first'));
    const read = eventReader(folder);
    appendFileSync(file, '{"kind":"stage-lo');
    expect(await read()).toHaveLength(1);
    writeFileSync(file, line('first'));
    expect(await read()).toEqual([]);
    appendFileSync(file, line('second'));
    expect(await read()).toMatchObject([{ message: 'second' }]);
  });

  it('leaves out what is no event', async () => {
    writeFileSync(file, `nonsense\n{"kind":"of-tomorrow","time":"${time}"}\n\n${line('known')}null\n`);
    expect(await eventReader(folder)()).toMatchObject([{ message: 'known' }]);
    expect(await eventReader(join(folder, 'nowhere'))()).toEqual([]);
  });
});
