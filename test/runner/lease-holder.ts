/** `<store> <key> <run>`: takes a lease, says so, and keeps it until it is killed. */
import { randomBytes } from 'node:crypto';
import { acquireLease } from '../../src/runner/lease.ts';
import { openStore } from '../../src/runner/store.ts';

const [root = '', key = '', run = ''] = process.argv.slice(2);
const store = await openStore(root, () => randomBytes(16).toString('hex'));
await acquireLease(store, key, {
  run,
  signal: new AbortController().signal,
  now: () => performance.now(),
  onWait: () => undefined,
  busy: 'wait',
});
process.stdout.write('held');
setInterval(() => undefined, 1000);
