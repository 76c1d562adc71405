/** What TensorFlow will not compute: one clear error with its words. */
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { makeWorkspace, program, tinyWith } from '../e2e/workspace.ts';
import { tensorflowEngine } from '../engine/engines.ts';

describe.skipIf(tensorflowEngine === null || process.arch !== 'x64')('a network with a dilation', () => {
  const space = makeWorkspace();
  const pipeline = space.write('dilated.yaml', tinyWith([['kernel: 3,', 'kernel: 3, dilation: 2,']]));
  const run = (env: Readonly<Record<string, string>>) =>
    execa(process.execPath, [program, 'run', pipeline, '--engine', 'tensorflow'], {
      cwd: space.folder,
      reject: false,
      env,
    });

  it("is refused in TensorFlow's words where oneDNN is switched off, and nothing of the stage is kept", async () => {
    const { exitCode, stderr } = await run({ TF_ENABLE_ONEDNN_OPTS: '0' });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('engine tensorflow error engine-refused: TensorFlow did not run a step: Current CPU');
    expect(stderr).toMatch(/do not yet support dilation rates larger than 1\. \(.*\/Conv2DBackprop(Input|Filter)\)$/m);
    expect(stderr).toContain('hint: try `engine: wasm`');
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(space.json('runs/latest/run.json')).toMatchObject({ status: 'error', stages: [] });
  });

  it('is trained otherwise, whatever the processor', async () => {
    const { exitCode, stderr } = await run({});
    expect([exitCode, stderr]).toEqual([0, '']);
  });
});
