import { bytes, change, fixed, integer, percent, points, significant } from '../format.ts';
import { markup, nothing } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { headlineTest } from '../report.ts';
import type { Report } from '../report.ts';
import { accuracyName } from '../titles.ts';

export function factsList(report: Report): Markup {
  const conversion = conversionOf(report)?.metrics;
  const facts = resultFacts(report);
  const size = report.model?.bytes ?? conversion?.bytes;
  if (size !== undefined) {
    const note = conversion === undefined ? '' : sizeNote(conversion.floatBytes / size);
    facts.push({ name: 'model file', value: bytes(size), note });
  }
  if (report.matrix !== undefined) {
    const { rows, untested, best } = report.matrix;
    const cells = new Set(rows.map(({ cell }) => cell)).size + untested.length;
    const shown = rows.find(({ test }) => test === best?.test)?.cell;
    facts.push({ name: 'cells', value: String(cells), note: shown === undefined ? '' : `the numbers are of ${shown}` });
  }
  if (report.stages.length > 0) {
    const cached = report.stages.filter((stage) => stage.cached).length;
    facts.push({ name: 'stages', value: String(report.stages.length), note: `${cached} from the cache` });
  }
  if (facts.length === 0) return nothing;
  return markup`<dl class="facts">${facts.map(
    ({ name, value, note }) => markup`<div><dt>${name}</dt><dd>${value}<small>${note}</small></dd></div>`,
  )}</dl>`;
}

/** That of the model whose numbers stand at the top, else the last. */
function conversionOf({ conversions, model, stages }: Report): Report['conversions'][number] | undefined {
  const maker = stages.find(({ outputs }) =>
    Object.values(outputs).some(({ digest }) => model !== null && digest === `sha256:${model.sha256}`),
  );
  return conversions.find(({ stage }) => stage === maker?.name) ?? conversions.at(-1);
}

/** @param times bytes of the float parameters over those of the file */
function sizeNote(times: number): string {
  return times >= 1 ? `${fixed(times, 2)}\u00d7 smaller than float` : `${fixed(1 / times, 2)}\u00d7 as large as float`;
}

interface Fact {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

function resultFacts(report: Report): Fact[] {
  if ('accuracy' in report) {
    const { int8 } = report.accuracy;
    if (int8 === null) return [];
    const name = accuracyName(report);
    const share = { name: `int8 ${name}`, value: percent(int8.top1), note: `of ${integer(int8.n)} examples` };
    return int8.drop === null ? [share] : [share, { name: 'against float', value: points(-int8.drop), note: name }];
  }
  if ('score' in report) {
    const { int8 } = report.score;
    const last = headlineTest(report);
    if (int8 === null || last === undefined || !('score' in last)) return [];
    const { scoreName } = last.metrics;
    const score = { name: `int8 ${scoreName}`, value: percent(int8.value), note: `${integer(int8.n)} examples` };
    return int8.drop === null
      ? [score]
      : [score, { name: 'against float', value: points(-int8.drop), note: scoreName }];
  }
  if (report.task === null) return [];
  const { int8 } = report.error;
  if (int8 === null) return [];
  const kind = report.task === 'regress' ? 'mean absolute' : 'mean square';
  const note = `${kind}, ${integer(int8.n)} examples`;
  const error = { name: 'int8 error', value: significant(int8.mean), note };
  if (int8.rise === null) return [error];
  return [error, { name: 'against float', value: change(int8.rise), note: 'error' }];
}
