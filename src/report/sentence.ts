/** The verdict in one sentence. */
import { unreachable } from '../core/assert.ts';
import type { RunRecord } from '../runner/record.ts';
import { capitalized, percent, points, significant } from './format.ts';
import { ignorantAnswer } from './lints.ts';
import { gateText } from './gate-text.ts';
import type { ReportGate, Test } from './report.ts';
import { accuracyName, errorName } from './titles.ts';

export function verdictSentence(record: RunRecord, finished: string): string {
  const last = record.stages.at(-1)?.name;
  const reached = last === undefined ? 'before any stage had a result' : `after stage ${last}`;
  switch (record.status) {
    case 'error':
      return `The run failed ${reached}.`;
    case 'interrupted':
      return `The run was interrupted ${reached}; run it again to go on.`;
    case 'running':
      return `The run is not finished: it is going on, or was killed, ${reached}.`;
    case 'pass':
    case 'fail':
      return finished;
    default:
      return unreachable(record.status);
  }
}

/** @param tests all, of which those of the other outputs of the network are said too */
export function testSentence(test: Test | undefined, tests: readonly Test[], gates: readonly ReportGate[]): string {
  const outputs = tests.filter(({ stage, output }) => stage === test?.stage && output !== undefined);
  const clauses = outputs.flatMap((one) => {
    const clause = resultClause(one);
    return clause === null ? [] : [`${one.output ?? ''}: ${clause}`];
  });
  const single = test === undefined ? null : resultClause(test);
  const result = clauses.length > 0 ? clauses.join('; ') : single;
  if (result === null) return 'No test stage ran, so nothing was measured.';
  const ignorant = test === undefined ? null : ignorantAnswer(test.metrics);
  if (ignorant !== null) return `${capitalized(ignorant)}. ${result}. ${gatesOfIgnorance(gates, test)}`;
  const unmet = gates.filter(({ ok }) => !ok);
  const [first] = unmet;
  if (gates.length === 0) return `${result}. No gate was set.`;
  if (first === undefined)
    return `${result}. ${gates.length === 1 ? 'The gate is' : gates.length === 2 ? 'Both gates are' : `All ${gates.length} gates are`} met.`;
  const others =
    unmet.length === 1 ? '' : `, nor ${unmet.length === 2 ? 'is 1 other' : `are ${unmet.length - 1} others`}`;
  return `${result}. Gate ${first.name} is not met${others}: ${gateText(first)}.`;
}

/** Gates say nothing in favour of a model that ignores its input. */
function gatesOfIgnorance(gates: readonly ReportGate[], test: Test | undefined): string {
  const remedy = test !== undefined && 'accuracy' in test ? 'add `worst_recall_min`, or mend' : 'train longer, or mend';
  const met = gates.filter(({ ok }) => ok).length;
  if (gates.length === 0) return 'No gate was set.';
  return met === 0
    ? 'No gate is met.'
    : `${met} of ${gates.length} ${gates.length === 1 ? 'gate is' : 'gates are'} met, by a model that has learned nothing: ${remedy} the data.`;
}

/** A value of int8 on both kinds of devices, beside that of float. */
interface DeviceValues {
  readonly name: string;
  readonly int8: number;
  /** Null where it was not tested. */
  readonly litert: number | null;
  readonly float: number | null;
  readonly text: (value: number) => string;
  /** From float to int8: `a drop of 0.18 pp`. */
  readonly change: (float: number, int8: number) => string;
}

/** `int8 top-1 is 98.20 % on a microcontroller and 98.10 % on a phone or browser, against 98.50 % for float: …` */
function devicesClause({ name, int8, litert, float, text, change }: DeviceValues): string {
  const isSame = litert !== null && text(litert) === text(int8);
  const where = isSame ? 'on a microcontroller, phone or browser' : 'on a microcontroller';
  const other = litert === null || isSame ? '' : ` and ${text(litert)} on a phone or browser`;
  const start = `int8 ${name} is ${text(int8)} ${where}${other}`;
  if (float === null) return `${start}; float was not measured`;
  const changed = change(float, int8);
  const both = other === '' || litert === null ? changed : bothChanges(changed, change(float, litert));
  return `${start}, against ${text(float)} for float: ${both}`;
}

/** `a drop of 0.18 pp and 0.10 pp`: what both begin with is said once. */
function bothChanges(first: string, second: string): string {
  const start = ['a drop of ', 'a gain of '].find((words) => first.startsWith(words) && second.startsWith(words)) ?? '';
  return `${first} and ${second.slice(start.length)}`;
}

function resultClause(test: Test): string | null {
  if ('accuracy' in test) {
    const { float, int8, int8_litert: litert } = test.accuracy;
    if (int8 === null) return null;
    const values = { int8: int8.top1, litert: litert?.top1 ?? null, float: float?.top1 ?? null };
    return devicesClause({ ...values, name: accuracyName(test), text: percent, change: describeDrop });
  }
  if ('score' in test) {
    const { float, int8, int8_litert: litert } = test.score;
    if (int8 === null) return null;
    const values = { int8: int8.value, litert: litert?.value ?? null, float: float?.value ?? null };
    return devicesClause({ ...values, name: test.metrics.scoreName, text: percent, change: describeDrop });
  }
  const { float, int8, int8_litert: litert } = test.error;
  if (int8 === null) return null;
  const values = { int8: int8.mean, litert: litert?.mean ?? null, float: float?.mean ?? null };
  return devicesClause({ ...values, name: errorName(test.metrics), text: significant, change: describeRise });
}

function describeRise(float: number, int8: number): string {
  const rise = int8 / float - 1;
  if (rise === 0) return 'no difference';
  return `${percent(Math.abs(rise))} ${rise > 0 ? 'more' : 'less'}`;
}

function describeDrop(float: number, int8: number): string {
  const drop = float - int8;
  if (drop === 0) return 'no difference';
  return `a ${drop > 0 ? 'drop' : 'gain'} of ${points(Math.abs(drop)).replace('+', '')}`;
}
