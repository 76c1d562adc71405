import { present } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import { variablesOf } from '../graph/graph.ts';

/** Weights that grow this much in training are destroyed: fake quantization and dead rectifiers keep the loss finite. */
const hopelessGrowth = 1000;

/** Smaller weights are taken for this size, so that a layer that begins at zero may grow. */
const smallestSize = 0.01;

/**
 * Follows the weights of the layers, and ends a training that has destroyed them.
 *
 * @param graph whose variables have the values before the training
 * @returns called at the end of an epoch with its mean loss; throws UserError, naming the weights that grew most
 */
export function watchWeights(
  graph: Graph,
): (epoch: number, loss: number, variables: ReadonlyMap<string, Tensor>) => void {
  const weights = variablesOf(graph).filter(({ source }) => source.role === 'weight');
  const before = weights.map(({ name, source }) => ({ name, size: sizeOf(source.initial) }));
  return (epoch, loss, variables) => {
    const grown = before.map(({ name, size }) => {
      const now = sizeOf(present(variables.get(name), name));
      return { name, size, now, growth: now / Math.max(size, smallestSize) };
    });
    const most = grown.toSorted((a, b) => b.growth - a.growth)[0];
    if (most === undefined || !(most.growth > hopelessGrowth)) return;
    throw userError(
      'the trained weights',
      'training-diverged',
      `the weights \`${most.name}\` have a root mean square of ${short(most.now)} after epoch ${epoch} and had one of ` +
        `${short(most.size)} before training: the steps are far too large; the loss was ${short(loss)}`,
      'lower the learning rate, or warm it up',
    );
  };
}

/** The root mean square of all elements. */
function sizeOf({ data }: Tensor): number {
  let sum = 0;
  for (const value of data) sum += Number(value) ** 2;
  return Math.sqrt(sum / data.length);
}

const short = (value: number): string => String(Number(value.toPrecision(3)));
