// Loaded before the program: kills the process at the given call that changes the file system, before it or after it.
import fs from 'node:fs';

const [at, when] = (process.env.KILL_AT ?? '').split(' ');
const inside = process.env.KILL_INSIDE ?? '';
const die = () => process.kill(process.pid, 'SIGKILL');
let changes = 0;

/** Those that write, and those of them that are given a path first. */
const names = ['rename', 'link', 'symlink', 'mkdir', 'rm', 'rmdir', 'unlink', 'copyFile', 'open', 'utimes'];

/** @type {(name: string, args: readonly unknown[]) => boolean} */
const isChange = (name, args) =>
  args.some((arg) => typeof arg === 'string' && arg.startsWith(inside)) &&
  (name !== 'open' || (args[1] !== undefined && args[1] !== 'r'));

/** @typedef {Record<string, (...args: unknown[]) => unknown>} Calls */

/** @type {(calls: unknown, name: string) => void} */
function wrap(calls, name) {
  const object = /** @type {Calls} */ (calls);
  const original = object[name];
  if (original === undefined) throw new Error(`there is no ${name}`);
  /** @param {unknown[]} args */
  object[name] = (...args) => {
    if (!isChange(name, args)) return original.apply(object, args);
    const isLast = ++changes === Number(at);
    if (isLast && when === 'before') die();
    const result = original.apply(object, args);
    if (!isLast) return result;
    if (!(result instanceof Promise)) die();
    return Promise.resolve(result).then(die);
  };
}
for (const name of names) wrap(fs.promises, name);
for (const name of names) wrap(fs, `${name}Sync`);
process.on('exit', () => fs.writeFileSync(process.env.KILL_COUNT ?? '/dev/null', String(changes)));
