/** From a Keras configuration and its weights to a graph. */
import { internal } from '../../core/assert.ts';
import type { Diagnostic } from '../../core/diagnostic.ts';
import { UserError, userError } from '../../core/diagnostic.ts';
import type { FloatTensor } from '../../core/tensor.ts';
import { numElements } from '../../core/tensor.ts';
import { buildGraph } from '../../graph/builder.ts';
import type { Graph } from '../../graph/graph.ts';
import { isTrainable } from '../../graph/roles.ts';
import { ShapeError } from '../../ops/define.ts';
import type { ValueRef } from '../../ops/define.ts';
import { GraphWriter } from '../graph-writer.ts';
import { Refusal } from '../refusal.ts';
import { ConfigError, list, shown, whole } from './json.ts';
import type { Given, LayerCall } from './layer.ts';
import type { Argument, KerasLayer, KerasNetwork, LayerCallConfig, TensorReference } from './network.ts';
import { readNetwork, referencesIn } from './network.ts';
import { classText, layerRows, rowOf } from './rows.ts';
import type { LayerPath, WeightSource } from './weights.ts';

export interface KerasModel {
  readonly path: string;
  /** `{ class_name, config }` */
  readonly config: unknown;
  /** 2 or 3. */
  readonly version: number;
  readonly weights: WeightSource;
}

/**
 * @throws UserError naming every layer that cannot be imported, or what of the configuration makes no sense
 */
export function buildKerasGraph(model: KerasModel): Graph {
  try {
    const network = readNetwork(model.config);
    const unknown = unknownLayers(network, []);
    if (unknown.length > 0) throw new UserError(unknown.map((found) => unsupported(model.path, found)));
    const building: Building = {
      model,
      writer: new GraphWriter(buildGraph(network.name, 'float'), mostConstants),
      variables: new Map(),
      problems: [],
    };
    const inputs = network.inputs.map((reference) => addInput(building, network, reference));
    const outputs = buildNetwork(building, network, { names: [], stored: [] }, inputs, true);
    const [problem] = building.problems;
    if (problem !== undefined) throw new UserError(building.problems);
    return building.writer.builder.finish(
      outputs.map((output) => output ?? internal('a value is missing without a problem')),
    );
  } catch (error) {
    throw error instanceof ConfigError ? damaged(model.path, error.message) : error;
  }
}

export const damaged = (path: string, message: string): UserError =>
  userError(path, 'bad-model', `the model does not fit together: ${message}`, 'save the model again with Keras');

/** Elements that the constants of a configuration may have in all. */
const mostConstants = 2 ** 24;

interface Unsupported {
  readonly layer: string;
  readonly what: string;
  readonly remedy: string;
}

const unsupported = (path: string, { layer, what, remedy }: Unsupported): Diagnostic => ({
  code: 'unsupported-layer',
  place: { file: path },
  message: `layer "${layer}" cannot be imported: ${what}`,
  hint: remedy,
});

function unknownLayers({ layers }: KerasNetwork, scope: readonly string[]): readonly Unsupported[] {
  return layers.flatMap((layer): readonly Unsupported[] => {
    const names = [...scope, layer.name];
    if (layer.nested !== null) return unknownLayers(layer.nested, names);
    if (layer.className === 'InputLayer' || rowOf(layer) !== null) return [];
    const hasCode = layer.className === 'Lambda';
    const what = hasCode ? 'it is a Lambda, whose code is never run' : `its class is ${classText(layer)}`;
    const known = Object.keys(layerRows).join(', ');
    const remedy = hasCode
      ? 'write it with layers of Keras, and train or convert the model again'
      : `classes that can be imported: ${known}`;
    return [{ layer: names.join('/'), what, remedy }];
  });
}

interface Building {
  readonly model: KerasModel;
  readonly writer: GraphWriter;
  /** Of layers, by the path of the layer and the variable's part. */
  readonly variables: Map<string, ValueRef>;
  readonly problems: Diagnostic[];
}

/** A value, or undefined where a problem is in the way. */
type Known = ValueRef | undefined;

function addInput({ writer }: Building, network: KerasNetwork, { layer: name }: TensorReference): ValueRef {
  const layer = network.layers.find((other) => other.name === name);
  if (layer?.className !== 'InputLayer') throw new ConfigError(`the input "${name}" is no InputLayer`);
  const shape = layer.config['batch_input_shape'] ?? layer.config['batch_shape'];
  if (shape === undefined || shape === null)
    throw new ConfigError(`the file does not say the shape of the input "${name}": build the model before it is saved`);
  const [, ...dimensions] = list(shape, `shape of "${name}"`);
  const open = dimensions.findIndex((size) => size === null);
  if (open >= 0)
    throw new ConfigError(
      `the input "${name}" is ${shown(shape)}, whose dimension ${open + 1} is open: give the model an input of a fixed size`,
    );
  return writer.builder.input(name, {
    dtype: 'float32',
    shape: [1, ...dimensions.map((size) => whole(size, 'a size', 1))],
  });
}

/**
 * Builds the calls of a network as soon as their arguments are there.
 *
 * @param inputs of the network, in its order
 */
function buildNetwork(
  building: Building,
  network: KerasNetwork,
  path: LayerPath,
  inputs: readonly Known[],
  isOutermost: boolean,
): readonly Known[] {
  const values = new Map<string, Known>(network.inputs.map((reference, index) => [keyOf(reference), inputs[index]]));
  const storedNames = storedLayerNames(network.layers);
  const waiting = network.layers.flatMap((layer, position) =>
    layer.calls.flatMap((call, node) => {
      if (values.has(keyOf({ layer: layer.name, node, index: 0 }))) return [];
      const own = { names: [...path.names, layer.name], stored: [...path.stored, storedNames[position] ?? ''] };
      return [{ layer, call, node, path: own }];
    }),
  );
  while (waiting.length > 0) {
    const at = waiting.findIndex(({ call }) => referencesOf(call).every((reference) => values.has(keyOf(reference))));
    const [next] = at < 0 ? [] : waiting.splice(at, 1);
    if (next === undefined) break;
    const given = (argument: Argument): Given | undefined => resolve(argument, values);
    const outputs = buildCall(building, next.layer, next.call, next.node, next.path, given);
    for (const [index, output] of outputs.entries())
      values.set(keyOf({ layer: next.layer.name, node: next.node, index }), output);
  }
  return network.outputs.map((reference) => {
    if (values.has(keyOf(reference))) return values.get(keyOf(reference));
    throw new ConfigError(`nothing makes the output "${reference.layer}"${isOutermost ? '' : ` of "${network.name}"`}`);
  });
}

const keyOf = ({ layer, node, index }: TensorReference): string => JSON.stringify([layer, node, index]);

const referencesOf = ({ args, kwargs }: LayerCallConfig): readonly TensorReference[] =>
  [...args, ...Object.values(kwargs)].flatMap(referencesIn);

/** Undefined where a value is missing because of a problem before it. */
function resolve(argument: Argument, values: ReadonlyMap<string, Known>): Given | undefined {
  switch (argument.kind) {
    case 'constant':
      return argument;
    case 'tensor': {
      const value = values.get(keyOf(argument.reference));
      return value === undefined ? undefined : { kind: 'value', value };
    }
    case 'list': {
      const items = argument.items.map((item) => resolve(item, values));
      return items.every((item) => item !== undefined) ? { kind: 'list', items } : undefined;
    }
  }
}

/** At least one output, each of which may be unknown. */
function buildCall(
  building: Building,
  layer: KerasLayer,
  call: LayerCallConfig,
  node: number,
  path: LayerPath,
  given: (argument: Argument) => Given | undefined,
): readonly Known[] {
  const args = call.args.map(given);
  const kwargs = Object.entries(call.kwargs).map(([name, argument]) => [name, given(argument)] as const);
  const known = args.filter((argument) => argument !== undefined);
  const named = kwargs.flatMap(([name, argument]) => (argument === undefined ? [] : [[name, argument] as const]));
  if (known.length < args.length || named.length < kwargs.length) return [undefined];
  const context = contextOf(building, layer, node, path, known, Object.fromEntries(named));
  if (layer.nested !== null) {
    const inputs = known.flatMap((argument) => valuesIn(argument));
    return buildNetwork(building, layer.nested, path, inputs, false);
  }
  try {
    const built = (rowOf(layer) ?? internal(`class ${layer.className} passed the check`)).build(context);
    return isList(built) ? built : [built];
  } catch (error) {
    building.problems.push(problemOf(building.model.path, path.names.join('/'), classText(layer), error));
    return [undefined];
  }
}

const isList = (built: ValueRef | readonly ValueRef[]): built is readonly ValueRef[] => Array.isArray(built);

const valuesIn = (given: Given): readonly ValueRef[] =>
  given.kind === 'value' ? [given.value] : given.kind === 'list' ? given.items.flatMap(valuesIn) : [];

function problemOf(path: string, layer: string, kind: string, error: unknown): Diagnostic {
  if (error instanceof Refusal) {
    return unsupported(path, {
      layer,
      what: `${kind}: ${error.message}`,
      remedy: error.remedy ?? 'change the network, or leave the layer out',
    });
  }
  if (!(error instanceof ConfigError) && !(error instanceof ShapeError)) throw error;
  return {
    code: 'bad-model',
    place: { file: path },
    message: `layer "${layer}" (${kind}) does not fit together: ${error.message}`,
    hint: 'save the model again with Keras',
  };
}

function contextOf(
  { model, writer, variables }: Building,
  layer: KerasLayer,
  node: number,
  path: LayerPath,
  args: readonly Given[],
  kwargs: Readonly<Record<string, Given>>,
): LayerCall {
  const name = path.names.join('/');
  const isFrozen = layer.config['trainable'] === false;
  return {
    name: node === 0 ? name : `${name}_${node}`,
    ...{ className: layer.className, version: model.version, config: layer.config, args, kwargs, writer },
    read: (wanted) => model.weights.read(path, wanted),
    variable(part, role, make) {
      const key = `${name}/${part}`;
      const known = variables.get(key);
      if (known !== undefined) return known;
      const initial = checked(make(), key);
      const made = writer.builder.variable(key, initial, role, { trainable: isTrainable(role) && !isFrozen });
      variables.set(key, made);
      return made;
    },
  };
}

function checked(value: FloatTensor, name: string): FloatTensor {
  if (value.data.length === numElements(value.shape) && value.data.every(Number.isFinite)) return value;
  throw new ConfigError(`its weights "${name}" hold values that are not finite`);
}

/** `conv2d`, `conv2d_1`, …: the class in snake case, numbered among the layers of its network. */
function storedLayerNames(layers: readonly KerasLayer[]): readonly string[] {
  const counts = new Map<string, number>();
  return layers.map(({ className }) => {
    const base = snakeCase(className);
    const count = counts.get(base) ?? 0;
    counts.set(base, count + 1);
    return count === 0 ? base : `${base}_${count}`;
  });
}

/** As `keras.utils.naming.to_snake_case`. */
const snakeCase = (name: string): string =>
  name
    .replaceAll(/\W+/g, '')
    .replaceAll(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
