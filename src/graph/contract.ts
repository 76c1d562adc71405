/** What a model promises to whoever runs it: the meaning of its inputs and outputs. */
import { present } from '../core/assert.ts';
import type { JsonObject } from '../core/json.ts';
import type { Shape } from '../core/tensor.ts';
import type { Task } from '../measurements/metrics.ts';
import type { Graph } from './graph.ts';
import { valueOf } from './graph.ts';

/** A number that a network is to give: target = mean + deviation * output. */
export interface Target {
  readonly name: string;
  readonly mean: number;
  readonly deviation: number;
}

/** What a device computes before the model: input = (measured - mean) / deviation. */
export interface InputChannel {
  readonly name: string;
  readonly mean: number;
  readonly deviation: number;
}

/** What one element of an input means. */
export interface InputMeaning {
  /** Of pixels 0 .. 255, real = scale * (pixel - mean); of real values, the range that the input's quantizer keeps. */
  readonly normalize:
    { readonly scale: number; readonly mean: number } | { readonly min: number; readonly max: number };
  /** Of a network that takes real values, by channel of the input. */
  readonly channels?: readonly InputChannel[];
  /**
   * Of pixels that each channel normalizes on its own: (pixel - mean) / deviation, within the network. Left out where
   * `normalize` says all.
   */
  readonly pixels?: readonly InputChannel[];
  /** Settings by which a device makes an example of what it records, in the words of a pipeline. */
  readonly decoding?: JsonObject;
}

/** What an output is for, and what its elements mean. */
export interface OutputMeaning {
  readonly task: Task;
  /** In the order of the output's elements, for a task that has classes. */
  readonly classes: readonly string[];
  /** Of a network that gives labels, by element of the output. */
  readonly tags?: readonly string[];
  /** Of a network that regresses, by output. */
  readonly targets?: readonly Target[];
  /** Of one output of several: the layer that it is, in the words of a pipeline. */
  readonly output?: string;
  /** Of one output of several: what its loss counts in the sum that training makes small; left out where that is 1. */
  readonly lossWeight?: number;
}

interface Port {
  /** Of the value in the graph. */
  readonly name: string;
  /** Without the batch. */
  readonly shape: Shape;
}

/** Inputs and outputs in the order of the graph's. */
export interface Contract {
  readonly inputs: readonly (Port & InputMeaning)[];
  readonly outputs: readonly (Port & OutputMeaning)[];
}

/** A network, whatever it was made from. */
export interface Model {
  /** Level float, inference form with a batch of 1; `dropout` stands where training drops, and does nothing. */
  readonly graph: Graph;
  readonly contract: Contract;
}

/** The contract of a graph, whose inputs and outputs have these meanings in their order. */
export function contractOf(graph: Graph, inputs: readonly InputMeaning[], outputs: readonly OutputMeaning[]): Contract {
  const port = (name: string): Port => ({ name, shape: valueOf(graph, name).type.shape.slice(1) });
  return {
    inputs: graph.inputs.map((name, index) => ({ ...port(name), ...present(inputs[index], `meaning of "${name}"`) })),
    outputs: graph.outputs.map((name, index) => ({
      ...port(name),
      ...present(outputs[index], `meaning of "${name}"`),
    })),
  };
}

/** What a network of one input and one output is for; the shape of its examples as height, width and channels. */
export type Purpose = InputMeaning & OutputMeaning & { readonly image: readonly [number, number, number] };

/**
 * The contract of a graph of one input.
 *
 * @param outputs left out for one output, which is for the purpose
 */
export function contractFor(
  graph: Graph,
  purpose: InputMeaning & OutputMeaning,
  outputs?: readonly OutputMeaning[],
): Contract {
  const { normalize, channels, pixels, decoding, task, classes, tags, targets } = purpose;
  const input = {
    normalize,
    ...(channels && { channels }),
    ...(pixels && { pixels }),
    ...(decoding && { decoding }),
  };
  const only = { task, classes, ...(tags && { tags }), ...(targets && { targets }) };
  return contractOf(graph, [input], outputs ?? [only]);
}

/** What the first output of a network is for. */
export function purposeOf(contract: Contract): Purpose {
  return purposesOf(contract)[0];
}

/** What a network of one input is for, by output. */
export function purposesOf({ inputs, outputs }: Contract): readonly [Purpose, ...Purpose[]] {
  const { name: _input, shape, ...input } = present(inputs[0], 'an input');
  const [channels = 1, width = 1, height = 1] = shape.toReversed();
  const image = [height, width, channels] as const;
  const [first, ...others] = outputs.map(({ name: _output, shape: _shape, ...output }) => ({
    ...{ ...input, ...output, image },
  }));
  return [present(first, 'an output'), ...others];
}
