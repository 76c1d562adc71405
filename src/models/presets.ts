import type { Layer, LayerActivation } from './layers.ts';

const convolution = (name: string, filters: number, size: number, padding: 'same' | 'valid'): Layer => ({
  kind: 'conv_2d',
  name,
  filters,
  kernel: [size, size],
  stride: [1, 1],
  dilation: [1, 1],
  padding,
  bias: true,
  batch_norm: false,
  activation: 'relu',
});

const dense = (name: string, units: number, activation: LayerActivation): Layer => ({
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
    convolution('conv1', 6, 5, 'same'),
    maxPool('pool1'),
    convolution('conv2', 16, 5, 'valid'),
    maxPool('pool2'),
    { kind: 'flatten', name: 'flatten' },
    dense('fc1', 120, 'relu'),
    dense('fc2', 84, 'relu'),
    dense('logits', classes, 'none'),
  ];
}
