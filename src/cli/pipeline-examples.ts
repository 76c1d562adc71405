/** An example of each alternative in the pipeline file, as YAML: docs/pipeline.md shows them, a test validates them. */
import type { PipelineConfig } from '../config/schema.ts';
import type { SourceKind } from '../data/config.ts';
import type { FeaturesConfig } from '../data/features/config.ts';
import type { ModelConfig } from '../models/config.ts';
import type { Layer } from '../models/layers.ts';
import type { OptimizerConfig } from '../training/optimizer.ts';

type Preset = Extract<ModelConfig, { readonly preset: string }>['preset'];
type StageKind = PipelineConfig['stages'][string]['uses'];

const data: Readonly<Record<SourceKind, string>> = {
  mnist: 'data: { source: mnist, validation: 5000, normalize: { scale: 1/255 } }',
  image_folder:
    'data: { source: image_folder, path: photos, image: { size: 64, color: rgb }, split: { test: 0.2, validation: 0.1 } }',
  audio_folder: `data:
  source: audio_folder
  path: speech
  audio: { rate: 16000, seconds: 1 }
  features: { kind: micro_frontend, num_channels: 40 }`,
  csv: 'data: { source: csv, path: motion, columns: { inputs: [x, y, z] }, window: { length: 52, stride: 26 } }',
  npz: 'data: { source: npz, path: set.npz, columns: { inputs: x_train, class: y_train } }',
  synthetic: 'data: { source: synthetic, size: 32, classes: 4, validation: 512 }',
  idx: `data:
  source: idx
  train_images: images/train-images.idx.gz
  train_labels: images/train-labels.idx.gz
  test_images: images/test-images.idx.gz
  test_labels: images/test-labels.idx.gz
  validation: 1000`,
  cifar10: `data:
  source: cifar10
  normalize: { mean: 121, scale: 1/64 }
  augment: { crop: 4, flip: true }`,
};

const presets: Readonly<Record<Preset, string>> = {
  lenet5: 'model: { preset: lenet5 }',
  mlp: 'model: { preset: mlp, hidden: [256, 64] }',
  resnet8: 'model: { preset: resnet8, filters: 16 }',
  ds_cnn: 'model: { preset: ds_cnn, filters: 64 }',
  mobilenet_v1: 'model: { preset: mobilenet_v1, alpha: 0.25 }',
  mobilenet_v2: 'model: { preset: mobilenet_v2, alpha: 0.35 }',
  autoencoder: 'model: { preset: autoencoder, hidden: 128, bottleneck: 8 }',
};

const layers: Readonly<Record<Layer['kind'], string>> = {
  conv_2d: '- { kind: conv_2d, filters: 16, kernel: 3, batch_norm: true, activation: relu6 }',
  depthwise_conv_2d: '- { kind: depthwise_conv_2d, kernel: 3, stride: 2, activation: relu }',
  fully_connected: '- { kind: fully_connected, units: 10 }',
  transpose_conv: '- { kind: transpose_conv, filters: 8, kernel: 3, stride: 2 }',
  max_pool_2d: '- { kind: max_pool_2d, window: 2 }',
  average_pool_2d: '- { kind: average_pool_2d, window: [2, 4], stride: 2 }',
  conv_1d: '- { kind: conv_1d, filters: 16, kernel: 5, stride: 2, activation: relu }',
  depthwise_conv_1d: '- { kind: depthwise_conv_1d, kernel: 3, dilation: 4, padding: causal }',
  max_pool_1d: '- { kind: max_pool_1d, window: 2 }',
  average_pool_1d: '- { kind: average_pool_1d, window: 4, stride: 2 }',
  mean: '- { kind: mean }',
  sum: '- { kind: sum, keep_dims: true }',
  flatten: '- { kind: flatten }',
  batch_norm: '- { kind: batch_norm }',
  activation: '- { kind: activation, function: hard_swish }',
  add: '- { kind: add, with: conv1 }',
  sub: '- { kind: sub, with: [0.5, 0.25, 0.5] }',
  mul: '- { kind: mul, with: 0.5 }',
  concatenation: '- { kind: concatenation, with: [branch1, branch2] }',
  dropout: '- { kind: dropout, rate: 0.2 }',
  pad: '- { kind: pad, top: 1, bottom: 1, left: 2, right: 2 }',
  resize_bilinear: '- { kind: resize_bilinear, factor: 2 }',
  resize_nearest_neighbor: '- { kind: resize_nearest_neighbor, size: [24, 32] }',
  l2_normalization: '- { kind: l2_normalization }',
  reshape: '- { kind: reshape, shape: [7, -1] }',
  transpose: '- { kind: transpose, permutation: [2, 1, 3] }',
  squeeze: '- { kind: squeeze, axes: [1] }',
  strided_slice: '- { kind: strided_slice, begin: [2, 2], end: [-2, -2] }',
  softmax: '- { kind: softmax }',
};

const stages: Readonly<Record<StageKind, string>> = {
  import: 'net: { uses: import, file: resnet.h5 }',
  'float-pretrain': `pretrain:
  uses: float-pretrain
  epochs: 8
  optimizer: { kind: sgd, learning_rate: 0.05, momentum: 0.9 }`,
  ptq: `ptq:
  uses: ptq
  from: pretrain
  examples: 500
  ranges: percentile
  percentile: 99.99`,
  qat: `qat:
  uses: qat
  from: pretrain
  epochs: 2
  delay: 500                # steps; ranges are observed from the first one
  devices: [cpu:0, cpu:1]
  optimizer: { kind: sgd, learning_rate: 0.01 }`,
  'save-eval-graph': 'eval: { uses: save-eval-graph, from: qat }',
  freeze: 'freeze: { uses: freeze, from: eval }',
  convert: 'convert: { uses: convert, from: freeze, output: float32 }',
  test: `test:
  uses: test
  from: convert
  gates: { int8_top1_min: 0.98, drop_max: 0.005 }`,
  export: 'export: { uses: export, from: test, name: digits, test_vectors: 4 }',
  exec: `sizes:
  uses: exec
  from: convert
  command: [python3, sizes.py, "{inputs.model}", "{outputs.report}"]
  inputs: { model: model.tflite }
  files: [sizes.py]
  outputs: { report: sizes.json }
  environment: [LANG]
  timeout: 60               # seconds`,
};

const optimizers: Readonly<Record<OptimizerConfig['kind'], string>> = {
  sgd: 'optimizer: { kind: sgd, learning_rate: 0.05, momentum: 0.9, nesterov: true, weight_decay: 1e-4 }',
  adam: 'optimizer: { kind: adam, learning_rate: 0.001, warmup: 0.1 }',
};

const features: Readonly<Record<FeaturesConfig['kind'], string>> = {
  log_mel: 'features: { kind: log_mel, frame_length: 256, frame_step: 160, num_mel_bins: 40 }',
  mfcc: 'features: { kind: mfcc, num_mel_bins: 40, num_mfccs: 13 }',
  micro_frontend: 'features: { kind: micro_frontend, num_channels: 40, window_step: 20 }',
};

export const pipelineExamples = { data, features, presets, layers, stages, optimizers } as const;
