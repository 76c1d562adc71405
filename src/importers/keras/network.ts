/** The configuration of a Keras network, versions 2 and 3, in one form. */
import { isRecord } from '../../core/schema.ts';
import type { Config } from './json.ts';
import { ConfigError, list, record, text, whole } from './json.ts';

/** Output `index` of the call number `node` of a layer. */
export interface TensorReference {
  readonly layer: string;
  readonly node: number;
  readonly index: number;
}

/** What a layer is called with: a value of the network, several, or something of its own. */
export type Argument =
  | { readonly kind: 'tensor'; readonly reference: TensorReference }
  | { readonly kind: 'list'; readonly items: readonly Argument[] }
  | { readonly kind: 'constant'; readonly value: unknown };

export interface LayerCallConfig {
  readonly args: readonly Argument[];
  readonly kwargs: Readonly<Record<string, Argument>>;
}

export interface KerasLayer {
  readonly name: string;
  readonly className: string;
  /** Where its class is from, `keras.layers` for example; empty in files of Keras 2. */
  readonly module: string;
  readonly config: Config;
  readonly calls: readonly LayerCallConfig[];
  /** Of a network that is a layer of another. */
  readonly nested: KerasNetwork | null;
}

export interface KerasNetwork {
  readonly name: string;
  readonly layers: readonly KerasLayer[];
  readonly inputs: readonly TensorReference[];
  readonly outputs: readonly TensorReference[];
}

const networkClasses = ['Sequential', 'Functional', 'Model'];

/** Networks in networks in networks. */
const deepest = 32;

/** @param json `{ class_name, config }` of a model */
export function readNetwork(json: unknown, depth = 0): KerasNetwork {
  if (depth > deepest) throw new ConfigError('networks are nested too deeply');
  const { class_name: className, config } = record(json, 'the model');
  const kind = text(className, 'class_name');
  // Before 2.2.3 the configuration of a Sequential network was the list of its layers.
  const fields = Array.isArray(config)
    ? { name: 'sequential', layers: config as unknown }
    : record(config, `config of ${kind}`);
  if (kind === 'Sequential') return sequential(fields, depth);
  if (kind === 'Functional' || kind === 'Model') return functional(fields, depth);
  throw new ConfigError(
    `the model is of class "${kind}", whose layers the file does not say; expected Sequential or Functional`,
  );
}

function sequential(config: Config, depth: number): KerasNetwork {
  const name = text(config['name'] ?? 'sequential', 'name');
  const given = list(config['layers'], 'layers').map((layer) => layerOf(layer, depth));
  const [first] = given;
  const shape = config['build_input_shape'] ?? first?.config['batch_input_shape'] ?? first?.config['batch_shape'];
  const input: KerasLayer = {
    ...{ name: `${name}_input`, className: 'InputLayer', module: '', calls: [{ args: [], kwargs: {} }], nested: null },
    config: { batch_input_shape: shape },
  };
  const layers = first?.className === 'InputLayer' ? given : [input, ...given];
  const chained = layers.map((layer, index): KerasLayer => {
    const before = layers[index - 1];
    const args: readonly Argument[] =
      before === undefined ? [] : [{ kind: 'tensor', reference: { layer: before.name, node: 0, index: 0 } }];
    return { ...layer, calls: [{ args, kwargs: {} }] };
  });
  const reference = (layer: KerasLayer | undefined): TensorReference => ({
    layer: layer?.name ?? '',
    node: 0,
    index: 0,
  });
  return { name, layers: chained, inputs: [reference(chained[0])], outputs: [reference(chained.at(-1))] };
}

function functional(config: Config, depth: number): KerasNetwork {
  const name = text(config['name'] ?? 'model', 'name');
  return fromFirstCall({
    name,
    layers: list(config['layers'], 'layers').map((layer) => layerOf(layer, depth)),
    inputs: references(config['input_layers'], 'input_layers'),
    outputs: references(config['output_layers'], 'output_layers'),
  });
}

/**
 * Keras 2 counts the calls of a network in another from 1: number 0 is its own making. Every call is read, so that the
 * smallest number is the first.
 */
function fromFirstCall(network: KerasNetwork): KerasNetwork {
  const { layers, outputs } = network;
  const calls = layers.flatMap((layer) => layer.calls);
  const read = [
    ...outputs,
    ...calls.flatMap(({ args, kwargs }) => [...args, ...Object.values(kwargs)].flatMap(referencesIn)),
  ];
  const first = new Map(
    layers.flatMap(({ name, nested }) => {
      const nodes = read.flatMap(({ layer, node }) => (layer === name ? [node] : []));
      return nested === null || nodes.length === 0 ? [] : [[name, Math.min(...nodes)] as const];
    }),
  );
  if ([...first.values()].every((node) => node === 0)) return network;
  const moved = (reference: TensorReference): TensorReference => ({
    ...reference,
    node: reference.node - (first.get(reference.layer) ?? 0),
  });
  const inArgument = (argument: Argument): Argument => {
    if (argument.kind === 'tensor') return { ...argument, reference: moved(argument.reference) };
    return argument.kind === 'list' ? { ...argument, items: argument.items.map(inArgument) } : argument;
  };
  const inCall = ({ args, kwargs }: LayerCallConfig): LayerCallConfig => ({
    args: args.map(inArgument),
    kwargs: Object.fromEntries(Object.entries(kwargs).map(([name, argument]) => [name, inArgument(argument)])),
  });
  const renumbered = layers.map((layer) => ({ ...layer, calls: layer.calls.map(inCall) }));
  return { ...network, layers: renumbered, outputs: outputs.map(moved) };
}

/** All values of the network in an argument. */
export function referencesIn(argument: Argument): readonly TensorReference[] {
  if (argument.kind === 'tensor') return [argument.reference];
  return argument.kind === 'list' ? argument.items.flatMap(referencesIn) : [];
}

function layerOf(json: unknown, depth: number): KerasLayer {
  const { class_name: className, config, name, module, inbound_nodes: nodes } = record(json, 'a layer');
  const kind = text(className, 'class_name of a layer');
  const isNetwork = networkClasses.includes(kind);
  const fields = Array.isArray(config) ? {} : record(config, `config of a ${kind}`);
  return {
    name: text(name ?? fields['name'], `name of a ${kind}`),
    className: kind,
    module: typeof module === 'string' ? module : '',
    config: fields,
    calls: nodes === undefined ? [] : list(nodes, 'inbound_nodes').map(callOf),
    nested: isNetwork ? readNetwork({ class_name: kind, config }, depth + 1) : null,
  };
}

/** Of Keras 3 `{ args, kwargs }`; of Keras 2 a list of `[layer, node, index, kwargs]`, or one such without the list; of constants, too. */
function callOf(node: unknown): LayerCallConfig {
  if (isRecord(node)) {
    return {
      args: list(node['args'] ?? [], 'args').map(argumentOf),
      kwargs: mapped(record(node['kwargs'] ?? {}, 'kwargs'), argumentOf),
    };
  }
  const entries = list(node, 'a node of inbound_nodes');
  const isOne = isReference(entries) || isConstant(entries);
  const tensors = (isOne ? [entries] : entries).map((entry) => list(entry, 'an inbound node'));
  const args = tensors.map(oldArgument);
  const kwargs = tensors.map((entry) => entry[3]).find(isRecord) ?? {};
  return { args, kwargs: mapped(kwargs, oldArgument) };
}

const mapped = <T>(values: Config, map: (value: unknown) => T): Readonly<Record<string, T>> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value)]));

/** In an argument of Keras 2, `[layer, node, index]` is a value of the network. */
function oldArgument(value: unknown): Argument {
  if (!Array.isArray(value)) return { kind: 'constant', value };
  if (isReference(value)) return { kind: 'tensor', reference: referenceOf(value) };
  if (isConstant(value)) return { kind: 'constant', value: value[2] };
  return { kind: 'list', items: value.map(oldArgument) };
}

function argumentOf(value: unknown): Argument {
  if (Array.isArray(value)) return { kind: 'list', items: value.map(argumentOf) };
  if (!isRecord(value) || value['class_name'] !== '__keras_tensor__') return { kind: 'constant', value };
  const history = record(value['config'], 'a tensor')['keras_history'];
  return { kind: 'tensor', reference: referenceOf(list(history, 'keras_history')) };
}

const isReference = (entry: readonly unknown[]): boolean =>
  typeof entry[0] === 'string' && !isConstant(entry) && typeof entry[1] === 'number' && typeof entry[2] === 'number';

/** `_CONSTANT_VALUE`, -1, value: an argument that is no tensor. */
const isConstant = (entry: readonly unknown[]): boolean => entry[0] === '_CONSTANT_VALUE';

function referenceOf([layer, node, index]: readonly unknown[]): TensorReference {
  return { layer: text(layer, 'a layer'), node: whole(node, 'a node'), index: whole(index, 'an output') };
}

/** `[layer, node, index]`, a list of them, or a map of them by name. */
function references(json: unknown, what: string): readonly TensorReference[] {
  const entries = isRecord(json) ? Object.values(json) : list(json, what);
  if (isReference(entries)) return [referenceOf(entries)];
  return entries.flatMap((entry) => references(entry, what));
}
