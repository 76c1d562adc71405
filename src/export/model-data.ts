/** The bytes of the model as an array that a linker puts into flash. */
import { cppHeader, cppSource } from './cpp.ts';
import type { Exported } from './exported.ts';
import { arrayLines } from './literals.ts';

export function modelDataHeader(model: Exported): string {
  const body = `// The model as the convert stage wrote it, without what is only for phones.
// SHA-256: ${model.sha256}
inline constexpr size_t kModelDataLength = ${model.bytes.length};
extern const unsigned char kModelData[kModelDataLength];

`;
  return cppHeader(model, 'model_data.h', 'The bytes of the model.', ['<stddef.h>'], body);
}

export function modelDataSource(model: Exported): string {
  const bytes = Array.from(model.bytes, (byte) => `0x${byte.toString(16).padStart(2, '0')}`);
  const body = `// TensorFlow Lite Micro reads weights where they lie, which needs 16 bytes.
alignas(16) const unsigned char kModelData[kModelDataLength] = {
${arrayLines(bytes, '    ')}
};

`;
  return cppSource(model, 'The bytes of the model.', ['model_data.h'], body);
}
