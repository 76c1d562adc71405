/** The report of a line of stages that a test has trained. */
import type { LineResult } from '../stages/pipeline-line.ts';
import type { Report } from '../../src/report/report.ts';
import { buildReport } from '../../src/report/build-report.ts';
import { run, stage, stages } from './fixtures.ts';

type Trained = Pick<LineResult, 'pretrain' | 'qat' | 'convert' | 'test'>;

/** As of a run, whose records are read back from disk. */
export function lineReport({ pretrain, qat, convert, test }: Trained): Report {
  const record = (name: keyof typeof stages, metrics: object) => ({
    ...stages[name],
    metrics: JSON.parse(JSON.stringify(metrics)) as ReturnType<typeof stage>['metrics'],
  });
  return buildReport({
    ...run,
    stages: [
      ...[record('pretrain', pretrain), record('qat', qat), stages.evalGraph, stages.freeze],
      ...[record('convert', convert), record('test', { ...test, gates: [] })],
    ],
  });
}
