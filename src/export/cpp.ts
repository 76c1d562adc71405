/** The frame of every C++ file. */
import type { ExportedModel } from './model.ts';

/** Everything of a model lives in a namespace of its own, so that a firmware may hold several. */
export const namespaceOf = ({ name }: Pick<ExportedModel, 'name'>): string => `qpipe_${name}`;

/** Text of a header: guard, includes, and a body within the namespace. */
export function cppHeader(
  model: Pick<ExportedModel, 'name'>,
  file: string,
  says: string,
  includes: readonly string[],
  body: string,
): string {
  const guard = `${namespaceOf(model)}_${file.replaceAll(/\W/g, '_')}_`.toUpperCase();
  return `// ${says}
#ifndef ${guard}
#define ${guard}

${includeLines(includes)}
namespace ${namespaceOf(model)} {

${body.trimEnd()}

}  // namespace ${namespaceOf(model)}

#endif  // ${guard}
`;
}

/** Text of a source file. */
export function cppSource(
  model: Pick<ExportedModel, 'name'>,
  says: string,
  includes: readonly string[],
  body: string,
): string {
  return `// ${says}
${includeLines(includes)}
namespace ${namespaceOf(model)} {

${body.trimEnd()}

}  // namespace ${namespaceOf(model)}
`;
}

/** @param includes names in `<>`, or of files beside this one */
const includeLines = (includes: readonly string[]): string =>
  includes.map((name) => `#include ${name.startsWith('<') ? name : `"${name}"`}\n`).join('');

/** The type of an element. */
export const cppType = (dtype: 'int8' | 'uint8' | 'float32'): string => (dtype === 'float32' ? 'float' : `${dtype}_t`);
