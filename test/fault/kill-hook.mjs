// Loaded before the program: kills the process at the given call that changes the file system, before it or after it.
import fs from 'node:fs';

const [at, when] = (process.env.KILL_AT ?? '').split(' ');
const inside = process.env.KILL_INSIDE ?? '';
const die = () => process.kill(process.pid, 'SIGKILL');
let calls = 0;

/** Those that write, and those of them that are given a path first. */
const names = ['rename', 'link', 'symlink', 'mkdir', 'rm', 'rmdir', 'unlink', 'copyFile', 'open', 'utimes'];

/** @type {(name: string, args: readonly unknown[]) => boolean} */
const isChange = (name, args) =>
  args.some((arg) => typeof arg === 'string' && arg.startsWith(inside)) &&
  (name !== 'open' || (args[1] !== undefined && args[1] !== 'r'));

/** @type {(object: any, name: string) => void} */
function wrap(object, name) {
  const original = object[name];
  /** @param {unknown[]} args */
  object[name] = (...args) => {
    if (!isChange(name, args)) return original.apply(object, args);
    const isLast = ++calls === Number(at);
    if (isLast && when === 'before') die();
    const result = original.apply(object, args);
    if (!isLast) return result;
    if (typeof result?.then !== 'function') die();
    return result.then(die);
  };
}
for (const name of names) wrap(fs.promises, name);
for (const name of names) wrap(fs, `${name}Sync`);
process.on('exit', () => fs.writeFileSync(process.env.KILL_COUNT ?? '/dev/null', String(calls)));
