import type { Diagnostic, Place } from '../core/diagnostic.ts';
import { isRecord } from '../core/schema.ts';
import type { Locate, Path } from './source.ts';
import { parseSource } from './source.ts';
import { didYouMean } from './suggest.ts';
import { yamlDiagnostics } from './yaml-syntax.ts';

/** One `--set path=value`, parsed. */
export interface Override {
  readonly path: Path;
  readonly value: unknown;
  /** As written, for the record of the run. */
  readonly text: string;
}

/** A value to be written into a pipeline: by the command line, or by a cell of its matrix. */
export interface Setting {
  readonly path: Path;
  readonly value: unknown;
  /** What messages call it, such as "`--set seed=2`". */
  readonly said: string;
  readonly place: Place;
}

export const commandLine: Place = { file: 'command line' };

const quotes = 'put quotes around a text with special characters';

/** Values are YAML, so that `--set stages.qat.devices='[cpu:0, cpu:1]'` works. */
export function parseOverrides(texts: readonly string[]): { overrides: Override[]; diagnostics: Diagnostic[] } {
  const overrides: Override[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const text of texts) {
    const bad = (message: string, hint: string) =>
      diagnostics.push({ code: 'bad-override', place: commandLine, message, hint });
    const equals = text.indexOf('=');
    const path = text.slice(0, Math.max(0, equals)).split('.');
    if (equals < 0 || !path.every((segment) => /^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(segment))) {
      bad(`\`--set ${text}\` is not of the form path=value`, 'for example --set stages.qat.delay=1000');
      continue;
    }
    const source = parseSource(commandLine.file, text.slice(equals + 1));
    const [wrong] = yamlDiagnostics(source);
    if (wrong === undefined) overrides.push({ path: inMatrix(path), value: source.document.toJS(), text });
    else bad(`the value of \`--set ${text}\` is not YAML: ${wrong.message}`, wrong.hint ?? quotes);
  }
  return { overrides, diagnostics };
}

/** The keys of `matrix` are paths themselves. */
function inMatrix(path: Path): Path {
  const [first = '', ...axis] = path;
  return first === 'matrix' && axis.length > 1 ? [first, axis.join('.')] : path;
}

/** Writes the overrides into `config`, the plain value of the file; maps that are missing on the way are made. */
export function applyOverrides(config: Record<string, unknown>, overrides: readonly Override[]): Diagnostic[] {
  const settings = overrides.map(({ path, value, text }) => {
    return { path, value, said: `\`--set ${text}\``, place: commandLine };
  });
  return applySettings(config, settings);
}

/** The same for settings of any origin. */
export function applySettings(config: Record<string, unknown>, settings: readonly Setting[]): Diagnostic[] {
  return settings.flatMap((setting) => applySetting(config, setting) ?? []);
}

function applySetting(config: Record<string, unknown>, { path, value, said, place }: Setting): Diagnostic | null {
  const bad = (message: string, hint: string): Diagnostic => ({ code: 'bad-override', place, message, hint });
  let container: unknown = config;
  for (const [depth, segment] of path.entries()) {
    const last = depth === path.length - 1;
    const where = path.slice(0, depth).join('.');
    if (Array.isArray(container)) {
      const list: unknown[] = container;
      if (!(/^\d+$/.test(segment) && Number(segment) < list.length)) {
        return bad(
          `${said}: \`${where}\` is a list of ${list.length}, so it has no item \`${segment}\``,
          'the first item is 0',
        );
      }
      if (last) list[Number(segment)] = value;
      else container = list[Number(segment)];
    } else if (isWritable(container)) {
      const names = Object.keys(container);
      if (!Object.hasOwn(container, segment) && where === 'stages' && !last) {
        const hint =
          names.length === 0 ? 'the pipeline has no stages; write them in the file' : didYouMean(segment, names);
        return bad(`${said}: there is no stage \`${segment}\``, hint);
      }
      // A map of its own, where `constructor` and the like are none.
      if (last || !Object.hasOwn(container, segment)) container[segment] = last ? value : {};
      if (!last) container = container[segment] ??= {};
    } else {
      return bad(`${said}: \`${where}\` is a single value, so it has no \`${segment}\``, `set \`${where}\` as a whole`);
    }
  }
  return null;
}

function isWritable(value: unknown): value is Record<string, unknown> {
  return isRecord(value);
}

/**
 * Places values that were overridden, and what is in or missing from them, at the command line; a map around them too
 * where only the command line has made it.
 */
export function locateOverridden(
  overrides: readonly Override[],
  inFile: Locate,
  exists: (path: Path) => boolean,
): Locate {
  const overridden = (path: Path) =>
    overrides.some((override) => begins(path, override.path) || (begins(override.path, path) && !exists(path)));
  return (path, part) => (overridden(path) ? commandLine : inFile(path, part));
}

export const begins = (path: Path, start: Path): boolean => start.every((segment, depth) => segment === path[depth]);
