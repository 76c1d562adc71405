/** TensorFlow's own kernels: the whole step is one run of a session over one graph. */
import os from 'node:os';
import { internal } from '../../core/assert.ts';
import type { NodeDef } from '../../formats/protobuf/graph-def.ts';
import type { Engine, SessionOptions } from '../engine.ts';
import type { Tfjs } from './addon.ts';
import { loadTensorflow } from './addon.ts';
import { loadSignatures } from './loaded-graph.ts';
import type { KernelChoice } from './plan.ts';
import { deviceName, outputKey, savedModel, signatures, tensorInfo } from './plan.ts';
import { openSession } from './session.ts';
import { createWriter } from './writer.ts';

/**
 * Loads the addon and returns the engine.
 *
 * @param home the folder that qpipe keeps for all pipelines
 * @param choice our own kernels are used only where they were built
 * @throws UserError code 'engine-missing' or 'engine-broken'
 */
export async function loadTensorflowEngine(home: string, choice: KernelChoice = 'own'): Promise<Engine> {
  const { tf, kernels: built } = await loadTensorflow(home);
  const own = choice === 'own' ? built : null;
  let counted: Promise<number> | null = null;
  const gpus = (): Promise<number> => (counted ??= countGpus(tf));
  /** By default TensorFlow computes on a GPU if it has one; our kernels would copy each value back to the CPU. */
  const kernelsFor = async ({ devices }: SessionOptions): Promise<KernelChoice> =>
    own === null || (devices === undefined && (await gpus()) > 0) ? 'library' : 'own';
  return {
    name: 'tensorflow',
    // The kernels affect the bits too.
    version: `2+tensorflow-${tf.backend().binding.TF_Version}${own === null ? '' : `+kernels-${own}`}`,
    numerics: { kind: 'native', architecture: process.arch, cores: os.availableParallelism() },
    gpus,
    open: async (graph, options) => openSession(tf, await kernelsFor(options), graph, options),
  };
}

/** The package does not list devices. Asked for one that does not exist, the library names those that do. */
async function countGpus(tf: Tfjs): Promise<number> {
  const nodes: NodeDef[] = [];
  const probe = createWriter(nodes, new Set(), 'probe', deviceName({ kind: 'gpu', index: 4095 })).scalar(0);
  const signature = { inputs: new Map(), outputs: new Map([[outputKey, tensorInfo(probe, [])]]), methodName: '' };
  const model = savedModel(nodes, { step: signature });
  const message = await loadSignatures(tf, model, [signatures.step]).then(
    () => internal('TensorFlow found a device that does not exist'),
    (error: unknown) => String(error),
  );
  const [, available] = /available devices are \[([^\]]*)\]/.exec(message) ?? internal(`no devices in: ${message}`);
  return (available ?? '').match(/device:GPU:\d+/g)?.length ?? 0;
}
