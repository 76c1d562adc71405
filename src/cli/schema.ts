/** `qpipe schema`: the JSON Schemas of `schemas/`. */
import { didYouMean } from '../config/suggest.ts';
import { userError } from '../core/diagnostic.ts';
import { jsonSchemas } from './schemas.ts';

const ending = '.schema.json';

export const schemaNames = (): readonly string[] => [...jsonSchemas().keys()].map((file) => file.replace(ending, ''));

/**
 * @param name one of `schemaNames`
 * @returns the text of the file in `schemas/`
 * @throws UserError for any other name
 */
export function schemaText(name: string): string {
  const text = jsonSchemas().get(`${name}${ending}`);
  if (text !== undefined) return text;
  const hint = didYouMean(name, schemaNames());
  throw userError('command line', 'unknown-schema', `there is no schema \`${name}\``, hint, 64);
}
