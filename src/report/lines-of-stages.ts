/** Which stages belong together: what a stage was made from, and the branches that end in a test each. */
import { isJsonObject } from '../core/json.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { MatrixRecord, StageRecord } from '../runner/record.ts';

/** What can stand before a stage: by its `from`, or in the cells it belongs to. Null where nothing says it. */
type LineOf = (stage: string) => ReadonlySet<string> | null;

/** @param config the resolved pipeline; null when it was not kept */
export function lineReader(config: Json, matrix: MatrixRecord | undefined): LineOf {
  if (matrix !== undefined) {
    return (stage) => {
      const cells = matrix.cells.map(({ stages }) => Object.values(stages)).filter((names) => names.includes(stage));
      return cells.length === 0 ? null : new Set(cells.flat());
    };
  }
  const settings = stageSettings(config);
  const walk = (stage: string): string[] => {
    const from = settings.get(stage)?.['from'];
    const parents = (Array.isArray(from) ? from : [from]).filter((name) => typeof name === 'string');
    return parents.flatMap((parent) => [parent, ...walk(parent)]);
  };
  return (stage) => (settings.has(stage) ? new Set(walk(stage)) : null);
}

/**
 * Names of the stages whose outputs a stage read, in the order of the run. Where several wrote the same bytes, that on
 * its own line is meant, and of those the last.
 */
export function readsOf(stage: StageRecord, all: readonly StageRecord[], lineOf: LineOf): string[] {
  const earlier = all.slice(0, all.indexOf(stage));
  const line = lineOf(stage.name);
  const makers = Object.values(stage.inputs).flatMap(({ digest }) => {
    const same = earlier.filter(({ outputs }) => Object.values(outputs).some((output) => output.digest === digest));
    const own = same.filter(({ name }) => line === null || line.has(name));
    return (own.length === 0 ? same : own).slice(-1);
  });
  return earlier.filter((one) => makers.includes(one)).map(({ name }) => name);
}

interface Linked {
  readonly name: string;
  readonly reads: readonly string[];
}

/** Names of a stage and of all that it depends on, in the order of the run. */
export function chainOf(stages: readonly Linked[], name: string): string[] {
  const found = new Set<string>();
  const visit = (one: string): void => {
    if (found.has(one)) return;
    found.add(one);
    for (const parent of stages.find((stage) => stage.name === one)?.reads ?? []) visit(parent);
  };
  visit(name);
  return stages.flatMap((stage) => (found.has(stage.name) ? [stage.name] : []));
}

/**
 * Branches as the cells of a matrix whose axes are the settings that differ between them. Settings are matched by the
 * kind of their stage, since names differ.
 *
 * @param tests names of the test stages, one a branch
 */
export function branchesAsMatrix(
  tests: readonly string[],
  stages: readonly (Linked & { readonly kind: string })[],
  config: Json,
): MatrixRecord {
  const settings = stageSettings(config);
  const kindOf = new Map(stages.map(({ name, kind }) => [name, kind]));
  const branches = tests.map((test) => {
    const chain = chainOf(stages, test).filter((name) => kindOf.get(name) !== 'test');
    const kinds = chain.map((name) => kindOf.get(name) ?? '');
    const values = new Map<string, string>();
    chain.forEach((name, index) => {
      const kind = kinds[index] ?? '';
      const again = kinds.slice(0, index).filter((other) => other === kind).length;
      flatten(settings.get(name) ?? {}, again === 0 ? kind : `${kind} ${again + 1}`, values);
    });
    return { test, kinds, values };
  });
  const everywhere = (kind: string): boolean => branches.every(({ kinds }) => kinds.includes(kind));
  for (const { kinds, values } of branches) values.set('stages', kinds.filter((kind) => !everywhere(kind)).join(', '));
  const paths = [...new Set(branches.flatMap(({ values }) => [...values.keys()]))];
  const axes = paths.flatMap((setting) => {
    const having = branches.filter(({ values }) => values.has(setting));
    // What only one kind of stage has is not a difference: that the stage is there is.
    if (new Set(having.map(({ values }) => values.get(setting))).size < 2) return [];
    const words = branches.map(({ values }) => values.get(setting) ?? '\u2013');
    const labels = [...new Set(words)];
    return [{ setting, name: nameOf(setting, paths), values: labels, labels, words }];
  });
  return {
    axes: axes.map(({ words: _words, ...axis }) => axis),
    cells: branches.map(({ test }, index) => ({
      name: test,
      choices: axes.map(({ labels, words }) => labels.indexOf(words[index] ?? '')),
      stages: { test },
    })),
  };
}

/** The last word of a path, or all of it where another path ends the same way. */
function nameOf(path: string, paths: readonly string[]): string {
  const last = (one: string): string => one.slice(one.lastIndexOf('.') + 1);
  return paths.filter((other) => last(other) === last(path)).length === 1 ? last(path) : path.replace('.', ' ');
}

function flatten(value: Json, path: string, into: Map<string, string>): void {
  if (!isJsonObject(value)) {
    into.set(path, typeof value === 'string' ? value : JSON.stringify(value));
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    if (key !== 'uses' && key !== 'from') flatten(inner, `${path}.${key}`, into);
  }
}

function stageSettings(config: Json): ReadonlyMap<string, JsonObject> {
  const stages = isJsonObject(config) ? config['stages'] : undefined;
  if (!isJsonObject(stages)) return new Map();
  return new Map(Object.entries(stages).flatMap(([name, one]) => (isJsonObject(one) ? [[name, one] as const] : [])));
}
