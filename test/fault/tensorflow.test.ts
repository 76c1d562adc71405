/** What TensorFlow will not compute: one clear error with its words. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { makeWorkspace, tinyWith } from '../e2e/workspace.ts';
import { tensorflowEngine } from '../engine/engines.ts';

afterEach(() => vi.unstubAllEnvs());

describe.skipIf(tensorflowEngine === null || process.arch !== 'x64')('a network with a dilation', () => {
  const space = makeWorkspace();
  space.write('dilated.yaml', tinyWith([['kernel: 3,', 'kernel: 3, dilation: 2,']]));
  const run = (oneDnn: '0' | undefined) => {
    vi.stubEnv('TF_ENABLE_ONEDNN_OPTS', oneDnn);
    return space.qpipe('run', 'dilated.yaml', '--engine', 'tensorflow');
  };

  it("is refused in TensorFlow's words where oneDNN is switched off, and nothing of the stage is kept", async () => {
    const { code, stderr } = await run('0');
    expect(code).toBe(1);
    expect(stderr).toContain('engine tensorflow error engine-refused: TensorFlow did not run a step: Current CPU');
    expect(stderr).toMatch(/do not yet support dilation rates larger than 1\. \(.*\/Conv2DBackprop(Input|Filter)\)$/m);
    expect(stderr).toContain('hint: try `engine: wasm`');
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(space.json('runs/latest/run.json')).toMatchObject({ status: 'error', stages: [] });
  });

  it('is trained otherwise, whatever the processor', async () => {
    const { code, stderr } = await run(undefined);
    expect([code, stderr]).toEqual([0, '']);
  });
});
