/** How stages use each other's results. */
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
  const links = new Map<string, Link>();
  for (const [name, stage] of Object.entries(written)) {
    if (!isRecord(stage) || !isStageKind(stage.uses)) continue;
    const { uses: kind, from } = stage;
    if (from === undefined) links.set(name, { kind, from: null });
    else if (typeof from === 'string') links.set(name, { kind, from });
  }
  const giving = (accepted: readonly ArtifactType[]) =>
    [...links].filter(([, { kind }]) => accepted.includes(definitions[kind].produces)).map(([name]) => name);
  const remedy = (accepted: readonly ArtifactType[], own: string): string => {
    const names = giving(accepted).filter((name) => name !== own);
    if (names.length > 0) return names.map((name) => `\`from: ${name}\``).join(' or ');
    const kinds = Object.values(definitions).filter(({ produces }) => accepted.includes(produces));
    return `add a stage with ${kinds.map(({ kind }) => `\`uses: ${kind}\``).join(' or ')} and name it here`;
  };

  const nearName = (from: string, own: string): string | null => {
    const meant = suggestion(
      from,
      Object.keys(written).filter((name) => name !== own),
    );
    return meant === null ? null : `did you mean \`${meant}\`?`;
  };

  const cycles = findCycles(links);
  const inCycle = new Set(cycles.flat());
  const diagnostics = cycles.map((cycle): Diagnostic => {
    const [first = ''] = cycle;
    return {
      code: 'stage-cycle',
      place: locate(['stages', first, 'from'], 'value'),
      message: `these stages depend on each other in a cycle: ${[...cycle, first].map((name) => `\`${name}\``).join(' from ')}`,
      hint: `\`from\` must lead back to a stage that has no \`from\``,
    };
  });
  diagnostics.push(...missingModel(value, links, locate));
  for (const [name, { kind, from }] of links) {
    const rule = definitions[kind].from;
    if (rule === null || inCycle.has(name)) continue;
    const path = ['stages', name, 'from'];
    const takes = `${kind} takes ${rule.accepts.join(' or ')}`;
    if (from === null) {
      if (rule.optional) continue;
      diagnostics.push({
        code: 'missing-key',
        place: locate(path, 'key'),
        message: `\`stages.${name}\` needs the key \`from\`; ${takes}`,
        hint: remedy(rule.accepts, name),
      });
    } else if (!Object.hasOwn(written, from)) {
      diagnostics.push({
        code: 'unknown-stage',
        place: locate(path, 'value'),
        message: `\`stages.${name}.from\` is \`${from}\`, but there is no such stage`,
        hint: nearName(from, name) ?? remedy(rule.accepts, name),
      });
    } else {
      const parent = links.get(from);
      if (parent === undefined || rule.accepts.includes(definitions[parent.kind].produces)) continue;
      diagnostics.push({
        code: 'wrong-input',
        place: locate(path, 'value'),
        message: `\`stages.${name}.from\` is \`${from}\`, which gives ${definitions[parent.kind].produces}; ${takes}`,
        hint: remedy(rule.accepts, name),
      });
    }
  }
  return diagnostics;
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
