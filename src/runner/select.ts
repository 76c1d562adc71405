/** Which stages of a plan a run is for. */
import type { Plan, StagePlan } from './plan.ts';

/** Names of stages, each alone or with those before or after it; nothing given selects all. */
export interface Selection {
  /** These and all that come after them. */
  readonly from?: readonly string[];
  /** These and all that come before them. */
  readonly until?: readonly string[];
  /** These alone. */
  readonly only?: readonly string[];
}

export interface Selected<J extends object> {
  /** The selected stages, and those before them. */
  readonly plan: Plan<J>;
  /** Those that are not selected: they must have a result. */
  readonly stored: ReadonlySet<string>;
}

/** `only` is stronger than the others; `from` and `until` together select what lies between. */
export function select<J extends object>(plan: Plan<J>, { from, until, only }: Selection): Selected<J> {
  const chosen = new Set<string>();
  for (const { name } of plan.stages) {
    const inFrom = from === undefined || isNamed(name, from) || ancestors(plan, name).some((one) => isNamed(one, from));
    const inUntil =
      until === undefined || plan.stages.some((stage) => isNamed(stage.name, until) && isUpTo(plan, name, stage.name));
    if (only === undefined ? inFrom && inUntil : isNamed(name, only)) chosen.add(name);
  }
  const needed = new Set([...chosen].flatMap((name) => [name, ...ancestors(plan, name)]));
  const stages = plan.stages.filter(({ name }) => needed.has(name));
  const stored = stages.flatMap(({ name }) => (chosen.has(name) ? [] : [name]));
  return { plan: { ...plan, stages }, stored: new Set(stored) };
}

/** Whether a stage of the plan plays one of these stages of the pipeline; `qat@seed=1` plays `qat` in a matrix. */
export function isNamed(stage: string, names: readonly string[]): boolean {
  return names.some((name) => stage === name || stage.startsWith(`${name}@`));
}

const isUpTo = (plan: Plan, name: string, last: string): boolean =>
  name === last || ancestors(plan, last).includes(name);

/** Names of all stages whose results a stage depends on. */
function ancestors(plan: Plan, name: string): readonly string[] {
  const byName = new Map(plan.stages.map((stage) => [stage.name, stage]));
  const found = new Set<string>();
  const visit = (stage: StagePlan | undefined): void => {
    for (const input of Object.values(stage?.inputs ?? {})) {
      if (input.kind !== 'output' || found.has(input.stage)) continue;
      found.add(input.stage);
      visit(byName.get(input.stage));
    }
  };
  visit(byName.get(name));
  return [...found];
}
