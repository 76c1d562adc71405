import { unreachable } from '../core/assert.ts';
import type { ModelConfig } from './config.ts';
import type { Task } from '../measurements/metrics.ts';
import type { Activated, Layer, ModelSpec } from './layers.ts';

/** Height and width. */
type ImageSize = readonly [number, number];

/** What the network of a `model:` section is trained for: a preset implies it. */
export function modelTask(model: ModelConfig): Task {
  return modelTasks(model)[0];
}

/** The tasks of its outputs. */
export function modelTasks(model: ModelConfig): readonly [Task, ...Task[]] {
  if ('layers' in model) {
    const [first, ...others] = Object.values(model.outputs ?? {}).map(({ task }) => task);
    return first === undefined ? [model.task] : [first, ...others];
  }
  return [model.preset === 'autoencoder' ? 'reconstruct' : 'classify'];
}

/** The layers of a `model:` section, for the classes and the images of the data. */
export function modelLayers(
  model: ModelConfig,
  classes: number,
  [height, width, channels]: ModelSpec['image'],
): readonly Layer[] {
  if ('layers' in model) return model.layers;
  const image: ImageSize = [height, width];
  switch (model.preset) {
    case 'mlp':
      return mlp(model.hidden, classes);
    case 'lenet5':
      return lenet5(classes);
    case 'resnet8':
      return resnet8(model.filters, classes, image);
    case 'ds_cnn':
      return dsCnn(model.filters, classes, image);
    case 'mobilenet_v1':
      return mobilenetV1(model.alpha, classes, image);
    case 'mobilenet_v2':
      return mobilenetV2(model.alpha, classes);
    case 'autoencoder':
      return autoencoder(model.hidden, model.bottleneck, height * width * channels);
    default:
      return unreachable(model);
  }
}

type ConvolutionLayer = Extract<Layer, { kind: 'conv_2d' }>;

function convolution(name: string, filters: number, size: number, rest: Partial<ConvolutionLayer> = {}): Layer {
  return {
    kind: 'conv_2d',
    name,
    filters,
    kernel: [size, size],
    stride: [1, 1],
    dilation: [1, 1],
    padding: 'same',
    bias: true,
    batch_norm: false,
    activation: 'relu',
    ...rest,
  };
}

function depthwise(name: string, stride: number, activation: Activated['activation']): Layer {
  return {
    kind: 'depthwise_conv_2d',
    name,
    multiplier: 1,
    kernel: [3, 3],
    stride: [stride, stride],
    dilation: [1, 1],
    padding: 'same',
    bias: true,
    batch_norm: true,
    activation,
  };
}

const dense = (
  name: string,
  units: number,
  activation: Activated['activation'],
): Extract<Layer, { kind: 'fully_connected' }> => ({
  kind: 'fully_connected',
  name,
  units,
  bias: true,
  batch_norm: false,
  activation,
});

const maxPool = (name: string): Layer => ({
  kind: 'max_pool_2d',
  name,
  window: [2, 2],
  stride: [2, 2],
  padding: 'valid',
});

/** One window over the whole map, as the reference networks do it. */
const averageAll = (name: string, map: ImageSize): Layer => ({
  kind: 'average_pool_2d',
  name,
  window: map,
  stride: map,
  padding: 'valid',
});

/** The size of a map after strides that divide it by `factor` in all, with SAME padding. */
const shrunk = ([height, width]: ImageSize, factor: number): ImageSize => [
  Math.ceil(height / factor),
  Math.ceil(width / factor),
];

const classifier = (classes: number): readonly Layer[] => [
  { kind: 'flatten', name: 'flatten' },
  dense('logits', classes, 'none'),
];

/** Fully connected layers with relu, then the logits. */
export function mlp(hidden: readonly number[], classes: number): readonly Layer[] {
  return [
    { kind: 'flatten', name: 'flatten' },
    ...hidden.map((units, index) => dense(`fc${index + 1}`, units, 'relu')),
    dense('logits', classes, 'none'),
  ];
}

/**
 * LeNet-5 in its usual modern form: relu and max pooling instead of the original's sigmoids and subsampling.
 *
 * @see LeCun, Bottou, Bengio, Haffner 1998, figure 2
 */
export function lenet5(classes: number): readonly Layer[] {
  return [
    convolution('conv1', 6, 5),
    maxPool('pool1'),
    convolution('conv2', 16, 5, { padding: 'valid' }),
    maxPool('pool2'),
    { kind: 'flatten', name: 'flatten' },
    dense('fc1', 120, 'relu'),
    dense('fc2', 84, 'relu'),
    dense('logits', classes, 'none'),
  ];
}

/**
 * Three residual blocks of two 3x3 convolutions; the second and third halve the map, and their bypass is a 1x1
 * convolution. MLPerf Tiny's image classifier with 16 filters.
 *
 * @see https://github.com/mlcommons/tiny benchmark/training/image_classification/keras_model.py
 */
function resnet8(filters: number, classes: number, image: ImageSize): readonly Layer[] {
  const block = (index: number, input: string): readonly Layer[] => {
    const channels = filters * 2 ** (index - 1);
    const stride: [number, number] = index === 1 ? [1, 1] : [2, 2];
    const name = (part: string): string => `block${index}_${part}`;
    const bypass: readonly Layer[] =
      index === 1 ? [] : [convolution(name('bypass'), channels, 1, { stride, activation: 'none', input })];
    return [
      ...bypass,
      convolution(name('conv1'), channels, 3, { stride, batch_norm: true, input }),
      convolution(name('conv2'), channels, 3, { batch_norm: true, activation: 'none' }),
      { kind: 'add', name: name('add'), with: index === 1 ? input : name('bypass'), activation: 'relu' },
    ];
  };
  return [
    convolution('conv1', filters, 3, { batch_norm: true }),
    ...block(1, 'conv1'),
    ...block(2, 'block1_add'),
    ...block(3, 'block2_add'),
    averageAll('pool', shrunk(image, 4)),
    ...classifier(classes),
  ];
}

/**
 * A strided convolution and four depthwise separable ones. MLPerf Tiny's keyword spotter with 64 filters.
 *
 * @see https://github.com/mlcommons/tiny benchmark/training/keyword_spotting/keras_model.py
 */
function dsCnn(filters: number, classes: number, image: ImageSize): readonly Layer[] {
  return [
    convolution('conv1', filters, 3, { kernel: [10, 4], stride: [2, 2], batch_norm: true }),
    { kind: 'dropout', name: 'dropout1', rate: 0.2 },
    ...[1, 2, 3, 4].flatMap((index) => separable(`block${index}`, filters, 1)),
    { kind: 'dropout', name: 'dropout2', rate: 0.4 },
    averageAll('pool', shrunk(image, 2)),
    ...classifier(classes),
  ];
}

/** A depthwise convolution and the 1x1 convolution that mixes its channels. */
function separable(name: string, filters: number, stride: number): readonly Layer[] {
  return [
    depthwise(`${name}_depthwise`, stride, 'relu'),
    convolution(`${name}_pointwise`, filters, 1, { batch_norm: true }),
  ];
}

/** Channels at a width multiplier: a multiple of 8 and at least 8, never less than 0.9 of what was asked. */
function widened(filters: number, alpha: number): number {
  const wanted = filters * alpha;
  const rounded = Math.max(8, Math.floor((wanted + 4) / 8) * 8);
  return rounded < 0.9 * wanted ? rounded + 8 : rounded;
}

/**
 * Thirteen separable convolutions. With alpha 0.25, 96x96 images and two classes: MLPerf Tiny's visual wake words.
 *
 * @see Howard et al. 2017, table 1; https://github.com/mlcommons/tiny benchmark/training/visual_wake_words/vww_model.py
 */
function mobilenetV1(alpha: number, classes: number, image: ImageSize): readonly Layer[] {
  const blocks: readonly (readonly [filters: number, stride: number])[] = [
    [64, 1],
    ...[128, 256].flatMap((filters) => [[filters, 2] as const, [filters, 1] as const]),
    [512, 2],
    ...Array.from({ length: 5 }, () => [512, 1] as const),
    [1024, 2],
    [1024, 1],
  ];
  return [
    convolution('conv1', widened(32, alpha), 3, { stride: [2, 2], batch_norm: true }),
    ...blocks.flatMap(([filters, stride], index) => separable(`block${index + 1}`, widened(filters, alpha), stride)),
    averageAll('pool', shrunk(image, 32)),
    ...classifier(classes),
  ];
}

/**
 * Seventeen inverted residuals with relu6 and linear bottlenecks.
 *
 * @see Sandler et al. 2018, table 2
 */
function mobilenetV2(alpha: number, classes: number): readonly Layer[] {
  const stages = [
    { expansion: 1, filters: 16, repeats: 1, stride: 1 },
    { expansion: 6, filters: 24, repeats: 2, stride: 2 },
    { expansion: 6, filters: 32, repeats: 3, stride: 2 },
    { expansion: 6, filters: 64, repeats: 4, stride: 2 },
    { expansion: 6, filters: 96, repeats: 3, stride: 1 },
    { expansion: 6, filters: 160, repeats: 3, stride: 2 },
    { expansion: 6, filters: 320, repeats: 1, stride: 1 },
  ] as const;
  const relu6 = { batch_norm: true, activation: 'relu6' } as const;
  const first = widened(32, alpha);
  const layers: Layer[] = [convolution('conv1', first, 3, { ...relu6, stride: [2, 2] })];
  let input = { name: 'conv1', channels: first };
  let index = 0;
  for (const { expansion, filters, repeats, stride } of stages) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const name = `block${++index}`;
      const channels = widened(filters, alpha);
      const step = repeat === 0 ? stride : 1;
      if (expansion > 1) layers.push(convolution(`${name}_expand`, input.channels * expansion, 1, relu6));
      layers.push(depthwise(`${name}_depthwise`, step, 'relu6'));
      layers.push(convolution(`${name}_project`, channels, 1, { batch_norm: true, activation: 'none' }));
      const residual = step === 1 && channels === input.channels;
      if (residual) layers.push({ kind: 'add', name: `${name}_add`, with: input.name, activation: 'none' });
      input = { name: residual ? `${name}_add` : `${name}_project`, channels };
    }
  }
  return [
    ...layers,
    convolution('conv2', Math.max(1280, widened(1280, alpha)), 1, relu6),
    { kind: 'mean', name: 'mean' },
    dense('logits', classes, 'none'),
  ];
}

/**
 * Four fully connected layers, a narrow one, four more, and one that gives as many values as the image has. With the
 * default sizes and 640 inputs: MLPerf Tiny's anomaly detector.
 *
 * @see https://github.com/mlcommons/tiny benchmark/training/anomaly_detection/keras_model.py
 */
function autoencoder(hidden: number, bottleneck: number, values: number): readonly Layer[] {
  const normalized = (name: string, units: number): Layer => ({ ...dense(name, units, 'relu'), batch_norm: true });
  const four = (part: string): readonly Layer[] => [1, 2, 3, 4].map((index) => normalized(`${part}${index}`, hidden));
  return [
    { kind: 'flatten', name: 'flatten' },
    ...four('encoder'),
    normalized('bottleneck', bottleneck),
    ...four('decoder'),
    dense('output', values, 'none'),
  ];
}
