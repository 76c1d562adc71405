/** How stages use each other's results. */
import { present } from '../../core/assert.ts';
import type { Diagnostic } from '../../core/diagnostic.ts';
import { isRecord } from '../../core/schema.ts';
import type { ArtifactType } from '../../stages/define.ts';
import type { StageKind } from '../../stages/index.ts';
import { isStageKind, stages as definitions } from '../../stages/index.ts';
import type { Locate } from '../source.ts';
import { suggestion } from '../suggest.ts';

/** How a stage depends on another, as far as the file says. */
interface Link {
  readonly kind: StageKind;
  readonly from: string | null;
}

/**
 * Mistakes in how the stages use each other's results. Reads the plain value of the file, so that these
 * mistakes are found beside those against the schema; stages that are too broken to judge are left out.
 */
export function linkDiagnostics(value: unknown, locate: Locate): Diagnostic[] {
  const written: Readonly<Record<string, unknown>> = isRecord(value) && isRecord(value.stages) ? value.stages : {};
  const links = linksOf(written);
  const cycles = findCycles(links);
  const inCycle = new Set(cycles.flat());
  return [
    ...cycles.map((cycle) => cycleDiagnostic(cycle, locate)),
    ...missingModel(value, links, locate),
    ...[...links.keys()].flatMap((name) =>
      inCycle.has(name) ? [] : fromDiagnostics(name, links, Object.keys(written), locate),
    ),
  ];
}

/** The stages whose kind and `from` can be read. */
function linksOf(written: Readonly<Record<string, unknown>>): ReadonlyMap<string, Link> {
  const links = new Map<string, Link>();
  for (const [name, stage] of Object.entries(written)) {
    if (!isRecord(stage) || !isStageKind(stage.uses)) continue;
    const { uses: kind, from } = stage;
    if (from === undefined) links.set(name, { kind, from: null });
    else if (typeof from === 'string') links.set(name, { kind, from });
  }
  return links;
}

function cycleDiagnostic(cycle: readonly string[], locate: Locate): Diagnostic {
  const [first = ''] = cycle;
  return {
    code: 'stage-cycle',
    place: locate(['stages', first, 'from'], 'value'),
    message: `these stages depend on each other in a cycle: ${[...cycle, first].map((name) => `\`${name}\``).join(' from ')}`,
    hint: `\`from\` must lead back to a stage that has no \`from\``,
  };
}

/**
 * What is wrong with the `from` of a stage.
 *
 * @param written names of all stages, also of those without a link
 */
function fromDiagnostics(
  name: string,
  links: ReadonlyMap<string, Link>,
  written: readonly string[],
  locate: Locate,
): Diagnostic[] {
  const { kind, from } = present(links.get(name), 'a link');
  const rule = definitions[kind].from;
  if (rule === null) return [];
  const path = ['stages', name, 'from'];
  const takes = `${kind} takes ${rule.accepts.join(' or ')}`;
  if (from === null) {
    if (rule.optional) return [];
    return [
      {
        code: 'missing-key',
        place: locate(path, 'key'),
        message: `\`stages.${name}\` needs the key \`from\`; ${takes}`,
        hint: stageToName(rule.accepts, name, links),
      },
    ];
  }
  if (!written.includes(from)) {
    return [
      {
        code: 'unknown-stage',
        place: locate(path, 'value'),
        message: `\`stages.${name}.from\` is \`${from}\`, but there is no such stage`,
        hint: nearName(from, name, written) ?? stageToName(rule.accepts, name, links),
      },
    ];
  }
  const parent = links.get(from);
  if (parent === undefined || rule.accepts.includes(definitions[parent.kind].produces)) return [];
  return [
    {
      code: 'wrong-input',
      place: locate(path, 'value'),
      message: `\`stages.${name}.from\` is \`${from}\`, which gives ${definitions[parent.kind].produces}; ${takes}`,
      hint: stageToName(rule.accepts, name, links),
    },
  ];
}

/** The stages of the pipeline that give what a stage takes; without one, the kinds that would. */
function stageToName(accepted: readonly ArtifactType[], own: string, links: ReadonlyMap<string, Link>): string {
  const names = [...links].flatMap(([name, { kind }]) =>
    name !== own && accepted.includes(definitions[kind].produces) ? [name] : [],
  );
  if (names.length > 0) return names.map((name) => `\`from: ${name}\``).join(' or ');
  const kinds = Object.values(definitions).filter(({ produces }) => accepted.includes(produces));
  return `add a stage with ${kinds.map(({ kind }) => `\`uses: ${kind}\``).join(' or ')} and name it here`;
}

function nearName(from: string, own: string, written: readonly string[]): string | null {
  const meant = suggestion(
    from,
    written.filter((name) => name !== own),
  );
  return meant === null ? null : `did you mean \`${meant}\`?`;
}

/** A pipeline without a network: a stage would train one of its own, or no stage imports one. */
function missingModel(value: unknown, links: ReadonlyMap<string, Link>, locate: Locate): Diagnostic[] {
  if (!isRecord(value) || 'model' in value) return [];
  const imports = [...links].flatMap(([name, { kind }]) => (kind === 'import' ? [name] : []));
  const own = [...links].find(([, { kind, from }]) => from === null && definitions[kind].uses.includes('model'));
  const [imported] = imports;
  if (imported !== undefined && own === undefined) return [];
  return [
    {
      code: 'missing-key',
      place: locate(['model'], 'key'),
      message: 'the pipeline needs the key `model`',
      hint:
        imported === undefined || own === undefined
          ? '`model`: a network, as a `preset` or a list of `layers`; or import one with a stage that `uses: import`'
          : `\`stages.${own[0]}\` trains a network of its own; to train the imported one, give it \`from: ${imported}\``,
    },
  ];
}

/** Every stage has at most one parent, so each cycle is found by following parents until a name comes again. */
function findCycles(links: ReadonlyMap<string, Link>): string[][] {
  const done = new Set<string>();
  const cycles: string[][] = [];
  for (const start of links.keys()) {
    const trail: string[] = [];
    let name: string | null = start;
    while (name !== null && !done.has(name)) {
      done.add(name);
      trail.push(name);
      name = links.get(name)?.from ?? null;
    }
    const first = name === null ? -1 : trail.indexOf(name);
    if (first >= 0) cycles.push(trail.slice(first));
  }
  return cycles;
}
