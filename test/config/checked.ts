/** A short pipeline to the end, and what its user reads of the mistakes that are found without the data. */
import { parsePipeline } from '../../src/config/load.ts';
import { checkWithoutData } from '../../src/config/plan.ts';
import { UserError } from '../../src/core/diagnostic.ts';

/** @param test more fields of the test stage, after a comma */
export const allStages = (test: string): string => `stages:
  float: { uses: float-pretrain, epochs: 1, batch: 8 }
  qat: { uses: qat, from: float, epochs: 1, batch: 8 }
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze }
  test: { uses: test, from: convert${test} }
`;

/** `line:column code: message | hint` of each. */
export async function mistakesWithoutData(text: string): Promise<string[]> {
  try {
    await checkWithoutData(parsePipeline(text, 'p.yaml'));
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.diagnostics.map(({ place, code, message, hint }) => {
      const at = 'line' in place ? `${place.line}:${place.column ?? ''}` : '';
      return `${at} ${code}: ${message} | ${hint ?? ''}`;
    });
  }
}
