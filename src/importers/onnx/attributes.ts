/** The attributes of a node, read as the kinds that its op has. */
import type { OnnxAttribute, OnnxNode, OnnxTensor } from '../../formats/protobuf/onnx.ts';
import { refuse } from '../refusal.ts';

type KindOf<K extends OnnxAttribute['kind']> = Extract<OnnxAttribute, { readonly kind: K }>;

export class Attributes {
  private readonly node: OnnxNode;

  constructor(node: OnnxNode) {
    this.node = node;
  }

  has(name: string): boolean {
    return this.node.attributes.has(name);
  }

  private find<K extends OnnxAttribute['kind']>(name: string, kind: K): KindOf<K> | null {
    const attribute = this.node.attributes.get(name);
    if (attribute === undefined) return null;
    const isKind = (one: OnnxAttribute): one is KindOf<K> => one.kind === kind;
    return isKind(attribute)
      ? attribute
      : refuse(`its attribute "${name}" is of kind ${attribute.kind}; expected ${kind}`);
  }

  int(name: string, otherwise: number): number {
    return this.find(name, 'int')?.value ?? otherwise;
  }

  float(name: string, otherwise: number): number {
    return this.find(name, 'float')?.value ?? otherwise;
  }

  string(name: string, otherwise: string): string {
    return this.find(name, 'string')?.value ?? otherwise;
  }

  ints(name: string): readonly number[] | null {
    return this.find(name, 'ints')?.value ?? null;
  }

  floats(name: string): readonly number[] | null {
    return this.find(name, 'floats')?.value ?? null;
  }

  tensor(name: string): OnnxTensor | null {
    return this.find(name, 'tensor')?.value ?? null;
  }

  /** One of a few numbers or words. @throws Refusal for another */
  oneOf<T extends number | string>(name: string, found: T, taken: readonly T[]): T {
    if (taken.includes(found)) return found;
    const shown = taken.map((one) => JSON.stringify(one)).join(' or ');
    return refuse(`its attribute "${name}" is ${JSON.stringify(found)}; expected ${shown}`);
  }
}
