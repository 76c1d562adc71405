/** What is measured: networks, levels, and who can do which. */

/** @typedef {keyof typeof networks} Network */
/** @typedef {(typeof levels)[number]} Level */
/** @typedef {'wasm-strict' | 'wasm-fast' | 'tensorflow' | 'keras' | 'tfmot' | 'torch' | 'tflite'} Who */

/**
 * @typedef {object} Case what one process measures
 * @property {Network} network
 * @property {Level} level
 * @property {number} batch images in what `ms` is the time of: a step of training, or one image of an integer model
 * @property {number} threads
 * @property {Who} who
 */

/**
 * How often a process repeats what it times. A timed step of level int8 runs `blockImages` images and counts as their
 * mean, because one image takes less than the clock is good for.
 *
 * @typedef {{ readonly warmup: number, readonly steps: number }} Repetitions
 */

export const levels = /** @type {const} */ (['float', 'qat', 'int8']);

export const networks = /** @type {const} */ ({
  lenet5: { image: [28, 28, 1], model: { preset: 'lenet5' }, training: { warmup: 30, steps: 200 } },
  resnet8: { image: [32, 32, 3], model: { preset: 'resnet8', filters: 16 }, training: { warmup: 6, steps: 30 } },
});

export const numClasses = 10;
export const blockImages = 256;

/**
 * `engine`: ours, measured by step.js. `peer`: measured by peers.py in a Python that has the module. `missing`: named
 * in results to come.
 *
 * @typedef {{ readonly kind: 'engine', readonly levels: readonly Level[] }
 *   | { readonly kind: 'peer', readonly levels: readonly Level[], readonly module: string }
 *   | { readonly kind: 'missing' }} Subject
 */

/** @type {{ readonly [W in Who]: Subject }} */
export const subjects = {
  'wasm-strict': { kind: 'engine', levels },
  'wasm-fast': { kind: 'missing' },
  tensorflow: { kind: 'engine', levels: ['float', 'qat'] },
  keras: { kind: 'peer', levels: ['float'], module: 'tensorflow' },
  tfmot: { kind: 'peer', levels: ['qat'], module: 'tensorflow_model_optimization' },
  torch: { kind: 'peer', levels: ['float', 'qat'], module: 'torch' },
  tflite: { kind: 'peer', levels: ['int8'], module: 'tensorflow' },
};

export const everyone = /** @type {readonly Who[]} */ (Object.keys(subjects));

/** @type {(network: Network, level: Level) => Repetitions} */
export const repetitions = (network, level) =>
  level === 'int8' ? { warmup: 3, steps: 20 } : networks[network].training;

/**
 * The cases of a selection, those that are compared with each other side by side.
 *
 * @param {object} selection
 * @param {readonly Network[]} selection.networks
 * @param {readonly Level[]} selection.levels
 * @param {readonly Who[]} selection.who
 * @param {number} selection.batch of training
 * @param {number} selection.threads
 * @returns {readonly Case[]}
 */
export function casesOf(selection) {
  return selection.networks.flatMap((network) =>
    selection.levels.flatMap((level) =>
      selection.who
        .filter((who) => levelsOf(subjects[who]).includes(level))
        .map((who) => {
          const batch = level === 'int8' ? 1 : selection.batch;
          return { network, level, batch, threads: selection.threads, who };
        }),
    ),
  );
}

/** @type {(subject: Subject) => readonly Level[]} */
const levelsOf = (subject) => (subject.kind === 'missing' ? [] : subject.levels);
