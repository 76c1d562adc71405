/** What was made, in a sentence or two, for a reader who has not seen the pipeline. */
import { basename } from 'node:path';
import { counted, listText } from '../../core/words.ts';
import { isJsonObject } from '../../core/json.ts';
import type { Json } from '../../core/json.ts';
import { tasks } from '../../tasks/index.ts';
import { integer, shapeText } from '../format.ts';
import { chainOf } from '../lines-of-stages.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { headlineTest, headlineTests } from '../report.ts';
import type { Report, Test } from '../report.ts';

/** Of the model whose numbers stand at the top; nothing before anything was trained. */
export function trainedText(report: Report): Markup | null {
  const test = headlineTest(report);
  const chain = new Set(
    test === undefined ? report.stages.map(({ name }) => name) : chainOf(report.stages, test.stage),
  );
  const steps = report.stages.flatMap(({ name }) => (chain.has(name) ? stepsOf(report, name) : []));
  if (steps.length === 0) return null;
  const about = descriptionOf(report.config);
  return markup`<p class="trained">${about === null ? null : `${about.replace(/\.$/, '')}. `}${matrixText(report)}${networkText(report, test, chain)}${steps.map((step, index) => `${index === 0 ? ' It was ' : index === steps.length - 1 ? ', then ' : ', '}${step}`)}.</p>`;
}

function networkText(report: Report, test: Test | undefined, chain: ReadonlySet<string>): string {
  const trained = report.training.find(({ stage }) => chain.has(stage));
  const size = trained === undefined ? '' : ` of ${integer(trained.metrics.parameters)} parameters`;
  if (test === undefined) return `A network${size}.`;
  const { input } = test.metrics.model;
  const tasks = headlineTests(report).map((one) =>
    one.output === undefined ? taskText(one) : `${taskText(one)} (${one.output})`,
  );
  return `A network${size} that ${listText(tasks)} from inputs of ${shapeText(input.shape.slice(1))}${dataText(report.config)}.`;
}

/** What the cells of a matrix are, and what differs between them. */
function matrixText({ matrix }: Report): string {
  if (matrix === undefined || matrix.axes.length === 0) return '';
  const cells = new Set([...matrix.rows.map(({ cell }) => cell), ...matrix.untested]).size;
  const axes = matrix.axes.map(
    ({ name, setting }, index) =>
      `${name} (${setting === name ? '' : `${setting}: `}${listText([...new Set(matrix.rows.map(({ labels }) => labels[index] ?? ''))])})`,
  );
  return `A matrix of ${counted(cells, 'cell')}, one model for each combination of ${listText(axes)}. `;
}

/** Where the examples are from, as far as a name says it; those that qpipe brings are named by their source. */
function dataText(config: Json): string {
  const data = isJsonObject(config) ? config['data'] : undefined;
  if (!isJsonObject(data)) return '';
  const { source, path } = data;
  const name = typeof path === 'string' ? basename(path) : '';
  return typeof source !== 'string' || source === ''
    ? ''
    : `; data: ${name === '' || name === source ? source : `${name} (${source})`}`;
}

/** So many names of classes are said, if they are short enough to be read at once. */
const mostNames = 10;
const longestNames = 90;

function classesText(classes: readonly string[]): string {
  const all = classes.join(', ');
  if (classes.length <= mostNames && all.length <= longestNames) return ` (${all})`;
  const first = classes.slice(0, 3).join(', ');
  return first.length > longestNames ? '' : ` (${first} and ${classes.length - 3} more)`;
}

/** What the network does. */
function taskText({ metrics }: Test): string {
  const { task } = metrics;
  switch (metrics.task) {
    case 'classify':
      return `tells ${counted(metrics.classes.length, 'class', 'classes')} apart${classesText(metrics.classes)}`;
    case 'binary':
      return 'decides between yes and no';
    case 'multi_label':
      return 'says which labels apply';
    case 'segment':
      return 'assigns a class to every pixel';
    case 'regress':
      return `estimates ${counted(metrics.targets.length, 'value')}`;
    case 'reconstruct':
      return 'reconstructs its input';
    default:
      return tasks[task].does;
  }
}

/** What a stage did to the weights, in the passive. */
function stepsOf({ training, imports, calibrations }: Report, stage: string): string[] {
  // The name in the pipeline: which cell of a matrix is meant is said below.
  const called = stage.replace(/@.*/, '');
  const trained = training.find((one) => one.stage === stage)?.metrics;
  if (trained !== undefined) {
    const how = trained.level === 'float' ? 'in float' : 'with simulated 8-bit rounding';
    const steps = `${integer(trained.stepsPerEpoch)} steps of ${counted(trained.batch, 'example')}`;
    return [`trained for ${counted(trained.epochs.length, 'epoch')} ${how} (${called}: ${steps} an epoch)`];
  }
  if (imports.some((one) => one.stage === stage)) return [`imported (${called})`];
  const calibrated = calibrations.find((one) => one.stage === stage)?.metrics;
  if (calibrated === undefined) return [];
  return [`calibrated on ${counted(calibrated.examples, 'example')} without training (${called})`];
}

function descriptionOf(config: Json): string | null {
  const description = isJsonObject(config) ? config['description'] : undefined;
  return typeof description === 'string' ? description : null;
}
