/** The package as a program imports it: through its name, from dist/. */
import * as qpipe from 'qpipe';
import type { RunEvent } from 'qpipe';
import { describe, expect, it } from 'vitest';
import { makeWorkspace } from './workspace.ts';

describe('the package', () => {
  const space = makeWorkspace();

  it('runs a pipeline, reports its events, and its model can be read and run', async () => {
    const seen: RunEvent['kind'][] = [];
    const { record, report, folder } = await qpipe.run({
      pipeline: space.file('tiny.yaml'),
      set: ['stages.test.litert=off'],
      runs: space.file('runs'),
      store: space.file('store'),
      onEvent: ({ kind }) => seen.push(kind),
    });
    expect(record.status).toBe('pass');
    expect(seen.at(-1)).toBe('run-finished');
    expect(report).toMatchObject({ task: 'classify', accuracy: { int8_litert: null } });

    const bytes = new Uint8Array(qpipe.inspect(`${folder}/${report.model?.path ?? ''}`).bytes);
    expect(bytes.length).toBe(report.model?.bytes);
    const input = qpipe.tensor('int8', [2, 12, 12, 1], new Int8Array(288));
    space.write('x.npy', qpipe.writeNpy(input));
    const [output] = await qpipe.predict({
      model: `${folder}/${report.model?.path ?? ''}`,
      input: space.file('x.npy'),
      output: space.file('y.npy'),
    });
    expect(output).toMatchObject({ file: space.file('y.npy'), tensor: { dtype: 'int8', shape: [2, 4] } });
    const codes = Array.from(output?.tensor.data ?? [], Number);
    expect(codes.slice(0, 4)).toEqual(codes.slice(4));
  });

  it('rejects with diagnostics that can be printed', async () => {
    const failure = qpipe.run({ pipeline: space.file('nosuch.yaml') });
    await expect(failure).rejects.toBeInstanceOf(qpipe.UserError);
    const error = await failure.catch((reason: unknown) => reason);
    if (!(error instanceof qpipe.UserError)) throw error;
    expect(error.exitCode).toBe(64);
    expect(error.diagnostics.map(qpipe.formatDiagnostic).join()).toContain('nosuch.yaml error unreadable-pipeline');
  });

  it('has the documented names', () => {
    expect(Object.keys(qpipe)).toEqual(
      expect.arrayContaining([
        ...[
          'run',
          'validate',
          'describeData',
          'dataText',
          'init',
          'compare',
          'predict',
          'inspect',
          'graphText',
          'writeReport',
          'loadPipeline',
        ],
        ...[
          'readTflite',
          'writeTflite',
          'prepareInterpreter',
          'readGraphDef',
          'readSafetensors',
          'readNpy',
          'writeNpy',
        ],
        ...['UserError', 'formatDiagnostic'],
      ]),
    );
  });
});
