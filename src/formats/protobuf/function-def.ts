/**
 * The functions that a GraphDef's nodes call. Field numbers are those of tensorflow/core/framework/function.proto and
 * op_def.proto; gradients and attributes are not kept.
 */
import type { AttributeValue } from './attribute-value.ts';
import type { NodeDef } from './graph-def.ts';
import { readNode } from './graph-def.ts';
import { fieldsOf, messageIn, openMessage, stringIn } from './wire.ts';
import type { Span } from './wire.ts';

export interface FunctionDef {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Their inputs are `argument`, `node:output name:index` or `^node`. */
  readonly nodes: readonly NodeDef[];
  /** What each output is, in the form of inputs. */
  readonly returns: ReadonlyMap<string, string>;
}

/** @param message a GraphDef */
export function readFunctionLibrary(message: Span): ReadonlyMap<string, FunctionDef> {
  const functions = new Map<string, FunctionDef>();
  for (const field of fieldsOf(message)) {
    if (field.number !== 2) continue;
    for (const part of fieldsOf(messageIn(field))) {
      if (part.number !== 1) continue;
      const definition = readFunction(messageIn(part));
      functions.set(definition.name, definition);
    }
  }
  return functions;
}

function readFunction(message: Span): FunctionDef {
  let name = '';
  const [inputs, outputs]: [string[], string[]] = [[], []];
  const nodes: NodeDef[] = [];
  const returns = new Map<string, string>();
  for (const field of fieldsOf(message)) {
    if (field.number === 1) {
      for (const part of fieldsOf(messageIn(field))) {
        if (part.number === 1) name = stringIn(part);
        else if (part.number === 2) inputs.push(argumentName(messageIn(part)));
        else if (part.number === 3) outputs.push(argumentName(messageIn(part)));
      }
    } else if (field.number === 3) {
      nodes.push(readNode(messageIn(field)));
    } else if (field.number === 4) {
      const [key, value] = stringEntry(messageIn(field));
      returns.set(key, value);
    }
  }
  return { name, inputs, outputs, nodes, returns };
}

function argumentName(message: Span): string {
  for (const field of fieldsOf(message)) if (field.number === 1) return stringIn(field);
  return '';
}

function stringEntry(message: Span): readonly [string, string] {
  let [key, value] = ['', ''];
  for (const field of fieldsOf(message)) {
    if (field.number === 1) key = stringIn(field);
    else if (field.number === 2) value = stringIn(field);
  }
  return [key, value];
}

/** The name of the function in an attribute; null for an attribute of another kind. */
export function functionNameIn(attribute: AttributeValue | undefined, path: string): string | null {
  if (attribute?.kind !== 'opaque') return null;
  for (const field of fieldsOf(openMessage(attribute.bytes, path))) {
    if (field.number === 10) return argumentName(messageIn(field));
  }
  return null;
}

/** The strings of a constant; null for an attribute of another kind. */
export function stringsIn(attribute: AttributeValue | undefined, path: string): readonly string[] | null {
  if (attribute?.kind !== 'tensor' || attribute.value.kind !== 'opaque' || attribute.value.type !== 'string')
    return null;
  return [...fieldsOf(openMessage(attribute.value.bytes, path))].flatMap((field) =>
    field.number === 8 ? [stringIn(field)] : [],
  );
}
