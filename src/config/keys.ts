/** Where the keys of a pipeline belong: what to say of one that stands in the wrong map. */
import type { SchemaNode } from '../core/schema.ts';
import { isRecord } from '../core/schema.ts';
import { pipelineSchema } from './schema.ts';
import type { Path } from './source.ts';
import { didYouMean, list, suggestion } from './suggest.ts';

/** A map in which a key may stand. */
interface KeyPlace {
  /** From the root; `*` for any name or index. */
  readonly container: Path;
  /** What the map must have for it: its tag, `layers`, or nothing. */
  readonly needs: string | null;
}

function* keyPlaces(schema: SchemaNode, container: Path, needs: string | null): Generator<readonly [string, KeyPlace]> {
  const tag = schema.discriminator?.propertyName;
  for (const branch of schema.oneOf ?? []) {
    const word = tag === undefined ? undefined : branch.properties?.[tag]?.const;
    for (const [name, place] of keyPlaces(branch, container, `\`${tag ?? ''}: ${String(word)}\``)) {
      // Each alternative has the tag itself.
      yield [name, name === tag && place.container === container ? { container, needs } : place];
    }
  }
  if (schema.then !== undefined) yield* keyPlaces(schema.then, container, list(schema.if?.required ?? []));
  if (schema.else !== undefined) yield* keyPlaces(schema.else, container, null);
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    yield [name, { container, needs }];
    yield* keyPlaces(field, [...container, name], null);
  }
  const { additionalProperties: entries, items } = schema;
  if (typeof entries === 'object') yield* keyPlaces(entries, [...container, '*'], null);
  if (items !== undefined) yield* keyPlaces(items, [...container, '*'], null);
}

function placesOf(name: string): KeyPlace[] {
  return [...keyPlaces(pipelineSchema, [], null)].flatMap(([key, place]) => (key === name ? [place] : []));
}

const allKeys = (): string[] => [...new Set([...keyPlaces(pipelineSchema, [], null)].map(([name]) => name))];

/** What an unknown key is, and what to do about it. */
export interface UnknownKey {
  /** Completes "`stages.qat` has …"; null where the sentence is the usual one. */
  readonly message: string | null;
  readonly hint: string;
}

/**
 * @param root the plain value of the file
 * @param path of the map that has the key
 * @param schema of that map, the alternative that it takes
 */
export function unknownKey(root: unknown, path: Path, name: string, schema: SchemaNode): UnknownKey {
  const own = Object.keys(schema.properties ?? {});
  const usual = (hint: string): UnknownKey => ({ message: null, hint });
  if (name === '<<') {
    return usual('YAML 1.2 has no merge keys: write the keys out; a whole value can be repeated with an alias');
  }
  const [, before] = /^(\w+):\S/.exec(name) ?? [];
  if (before !== undefined) return usual(`put a space after the colon: \`${name.replace(':', ': ')}\``);
  const stages = isRecord(root) && isRecord(root['stages']) ? root['stages'] : {};
  if (path.length === 0 && Object.hasOwn(stages, name)) {
    return usual(`\`${name}\` is a stage; did you mean \`stages.${name}\`?`);
  }
  if (path.length === 0 && isRecord(root) && isRecord(root[name]) && Object.hasOwn(root[name], 'uses')) {
    return usual(`stages belong under \`stages\`: indent \`${name}\` further`);
  }
  if (path[0] === 'model' && path.length === 3 && layerKinds().includes(name)) {
    return usual(`\`${name}\` is a layer of its own: write \`- { kind: ${name} }\` with its settings after this one`);
  }
  const places = placesOf(name);
  if (places.length === 0 || own.some((other) => other === `${name}s` || `${other}s` === name)) {
    return usual(nearMiss(name, own));
  }
  const here = places.filter(({ container }) => matches(container, path));
  if (here.length > 0) return inOtherAlternative(root, path, name, here);
  const below = places.find(({ container }) => isBelow(container, path, own));
  if (below !== undefined) {
    return usual(`\`${name}\` belongs in \`${[...path, ...below.container.slice(path.length)].join('.')}\``);
  }
  return usual(`\`${name}\` belongs in ${describePlaces(places)}`);
}

const layerKinds = (): string[] =>
  [...keyPlaces(pipelineSchema, [], null)].flatMap(([, { container, needs }]) => {
    const kind = container.join('.') === 'model.layers.*' ? /^`kind: (\w+)`$/.exec(needs ?? '')?.[1] : undefined;
    return kind === undefined ? [] : [kind];
  });

function nearMiss(name: string, own: readonly string[]): string {
  if (suggestion(name, own) !== null) return didYouMean(name, own);
  const elsewhere = suggestion(name, allKeys());
  return elsewhere === null || elsewhere.length < 5
    ? didYouMean(name, own)
    : `did you mean \`${elsewhere}\`? It belongs in ${describePlaces(placesOf(elsewhere))}`;
}

function matches(container: Path, path: Path): boolean {
  return container.length === path.length && container.every((part, depth) => part === '*' || part === path[depth]);
}

/** Whether a map that is missing or wrong below `path` is where the key belongs. */
function isBelow(container: Path, path: Path, own: readonly string[]): boolean {
  const next = container[path.length];
  const named = container.slice(path.length).every((part) => part !== '*');
  return next !== undefined && named && own.includes(next) && matches(container.slice(0, path.length), path);
}

/** The map has another tag than the key needs, or a key that excludes it. */
function inOtherAlternative(root: unknown, path: Path, name: string, places: readonly KeyPlace[]): UnknownKey {
  const needs = [...new Set(places.flatMap((place) => place.needs ?? []))];
  if (needs.length === 0) {
    const excluded = 'layers';
    return {
      message: `both \`${name}\` and \`${excluded}\`; expected one of the two`,
      hint: `remove \`${name}\` to use the layers of the list, or \`${excluded}\` to use the preset`,
    };
  }
  const parent = path.slice(0, -1).reduce<unknown>((value, part) => (isRecord(value) ? value[part] : undefined), root);
  const sibling = isRecord(parent)
    ? Object.entries(parent).find(
        ([, value]) => isRecord(value) && needs.some((need) => need === `\`uses: ${String(value['uses'])}\``),
      )
    : undefined;
  const such = sibling === undefined ? '' : `, such as \`${[...path.slice(0, -1), sibling[0]].join('.')}\``;
  return { message: null, hint: `\`${name}\` goes with ${needs.join(' or ')}${such}` };
}

function describePlaces(places: readonly KeyPlace[]): string {
  const containers = [...new Set(places.map(({ container }) => containerText(container)))];
  return containers
    .map((text) => {
      const needs = places.flatMap((place) => (containerText(place.container) === text ? (place.needs ?? []) : []));
      return needs.length === 0 ? text : `${text} with ${needs.join(' or ')}`;
    })
    .join(', or in ');
}

function containerText(container: Path): string {
  const [first, second, ...rest] = container;
  if (first === undefined) return 'the pipeline itself, not indented';
  if (first === 'stages' && second === '*') return rest.length === 0 ? 'a stage' : `\`${rest.join('.')}\` of a stage`;
  if (first === 'model' && second === 'layers') return 'a layer';
  return `\`${container.join('.')}\``;
}
