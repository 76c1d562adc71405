import { parseDocument } from 'yaml';
import type { Diagnostic } from '../core/diagnostic.ts';
import { isRecord } from '../core/schema.ts';
import type { Locate, Path } from './source.ts';
import { didYouMean } from './suggest.ts';

/** One `--set path=value`, parsed. */
export interface Override {
  readonly path: Path;
  readonly value: unknown;
  /** As written, for the record of the run. */
  readonly text: string;
}

const commandLine = { file: 'command line' };

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
    const document = parseDocument(text.slice(equals + 1), { prettyErrors: false });
    const error = document.errors[0];
    if (error === undefined) overrides.push({ path, value: document.toJS(), text });
    else
      bad(
        `the value of \`--set ${text}\` is not YAML: ${error.message}`,
        'put quotes around texts with special characters',
      );
  }
  return { overrides, diagnostics };
}

/** Writes the overrides into `config`, the plain value of the file; maps that are missing on the way are made. */
export function applyOverrides(config: Record<string, unknown>, overrides: readonly Override[]): Diagnostic[] {
  return overrides.flatMap((override) => applyOverride(config, override) ?? []);
}

function applyOverride(config: Record<string, unknown>, { path, value, text }: Override): Diagnostic | null {
  const bad = (message: string, hint: string): Diagnostic => ({
    code: 'bad-override',
    place: commandLine,
    message,
    hint,
  });
  let container: unknown = config;
  for (const [depth, segment] of path.entries()) {
    const last = depth === path.length - 1;
    const where = path.slice(0, depth).join('.');
    if (Array.isArray(container)) {
      const list: unknown[] = container;
      if (!(/^\d+$/.test(segment) && Number(segment) < list.length)) {
        return bad(
          `\`--set ${text}\`: \`${where}\` is a list of ${list.length}, it has no item \`${segment}\``,
          'items count from 0',
        );
      }
      if (last) list[Number(segment)] = value;
      else container = list[Number(segment)];
    } else if (isWritable(container)) {
      const names = Object.keys(container);
      if (!Object.hasOwn(container, segment) && where === 'stages' && !last) {
        return bad(`\`--set ${text}\`: there is no stage \`${segment}\``, didYouMean(segment, names));
      }
      if (last) container[segment] = value;
      else container = container[segment] ??= {};
    } else {
      return bad(
        `\`--set ${text}\`: \`${where}\` is a single value, it has no \`${segment}\``,
        `set \`${where}\` as a whole`,
      );
    }
  }
  return null;
}

function isWritable(value: unknown): value is Record<string, unknown> {
  return isRecord(value);
}

/** Places values that were overridden, and what is in or missing from them, at the command line. */
export function locateOverridden(overrides: readonly Override[], inFile: Locate): Locate {
  const overridden = (path: Path) =>
    overrides.some((override) => override.path.every((segment, depth) => segment === path[depth]));
  return (path, part) => (overridden(path) ? commandLine : inFile(path, part));
}
