/** What the steps of a training take longer because they need data. */
import { join } from 'node:path';
import { loadPipeline } from '../dist/config/load.js';
import { pipelineNetwork } from '../dist/config/plan.js';
import { dataSettings, dataSource } from '../dist/data/config.js';
import { loadDataset } from '../dist/data/load.js';
import { wasmEngine } from '../dist/engine/wasm/index.js';
import { trainingGraph } from '../dist/evaluation/graphs.js';
import { purposeOf } from '../dist/graph/contract.js';
import { answerFeeds, outputsOf, trainingLoss } from '../dist/tasks/outputs.js';
import { batchFeeds } from '../dist/training/feeds.js';
import { median } from './statistics.js';

const ofTheIssue = [
  ...['spoken-digits', 'spoken-digits-micro', 'sign-digits', 'st-har', 'magic-wand', 'watch', 'diabetes'],
];
/** Steps of a measurement; both kinds take turns. */
const steps = 40;
const turns = 9;

/**
 * With as many threads as the machine has cores, filling batches takes time of theirs: then this measures the work, and
 * with one thread less only the waiting.
 *
 * @type {(root: string, threads: number, names: readonly string[]) => Promise<void>}
 */
export async function measureWaits(root, threads, names) {
  for (const name of names.length > 0 ? names : ofTheIssue)
    await measureWait(join(root, 'pipelines', `${name}.yaml`), name, threads);
}

/** @type {(file: string, name: string, threads: number) => Promise<void>} */
async function measureWait(file, name, threads) {
  const loaded = await loadPipeline(file, [], process.env['QPIPE_DATA']);
  const { data, seed, stages } = loaded.pipeline;
  const config = stages.map((stage) => stage.config).find((stage) => stage.uses === 'float-pretrain');
  if (config?.uses !== 'float-pretrain') throw new Error(`${name} trains no float model`);
  const { validation, augment } = dataSettings(data);
  const dataset = await loadDataset(dataSource(data), { count: validation ?? 0, seed }, { threads });
  const model = await pipelineNetwork(loaded);
  const spec = purposeOf(model.contract);
  const { batch } = config;
  const optimizer = /** @type {const} */ ({ kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 0 });
  const outputs = outputsOf(model.contract);
  const loss = trainingLoss(outputs, loaded.pipeline.loss, null);
  const graph = trainingGraph(model, batch, null, optimizer, loss);
  const session = await wasmEngine.open(graph, { replicas: 1, threads });
  const perEpoch = Math.floor(dataset.train.count / batch);
  const schedule = /** @type {const} */ ({ learningRate: 1e-6, schedule: 'constant', warmup: 0, change: null });
  const now = () => performance.now();
  const answers = answerFeeds(outputs, dataset);
  const environment = { dataset, normalize: spec.normalize, answers, augment, threads, now };
  const feeds = batchFeeds(graph, { batch, replicas: 1, seed, schedule }, environment, perEpoch, Infinity);
  let step = 0;
  const given = new Map([...(await feeds.next(step++))].map(([input, values]) => [input, values.slice()]));
  /** As training does it: the next batch is prepared while the engine works. @type {(next: () => unknown) => Promise<number>} */
  const time = async (next) => {
    const started = now();
    let pending = null;
    for (let index = 0; index < steps; index++) {
      const result = session.run(/** @type {typeof given} */ (await next()));
      await pending;
      pending = result;
    }
    await pending;
    return (now() - started) / steps;
  };
  const [own, without] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
  await time(() => feeds.next(step++));
  for (let turn = 0; turn < turns; turn++) {
    without.push(await time(() => given));
    own.push(await time(() => feeds.next(step++)));
  }
  await feeds.close();
  await session.close();
  const ratio = median(own.map((ms, turn) => ms / (without[turn] ?? NaN)));
  const [real, same] = [median(own), median(without)];
  const times = `${same.toFixed(2).padStart(7)} ms a step on one batch, ${real.toFixed(2).padStart(7)} ms on the data`;
  console.log(`${name.padEnd(22)} ${times}: ${(100 * (ratio - 1)).toFixed(1).padStart(5)} % more`);
}
