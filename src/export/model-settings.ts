/** The numbers of a model that a firmware needs. */
import { labelsOf } from './answers.ts';
import { arenaConstants } from './arena.ts';
import { cppHeader, cppType } from './cpp.ts';
import type { Decision } from './decision.ts';
import type { Exported } from './exported.ts';
import { featureConstants, soundFeatures } from './features.ts';
import { cFloat, cString, inComment } from './literals.ts';
import type { ExportedPort } from './model.ts';

export function modelSettingsHeader(model: Exported): string {
  const features = soundFeatures(model.purpose);
  const body = [
    portConstants('Input', model.input),
    portConstants('Output', model.output),
    labelConstants(labelsOf(model)),
    ...(model.decision === null ? [] : [decisionConstants(model.decision)]),
    ...(features === null ? [] : [featureConstants(features)]),
    arenaConstants(model),
  ]
    .map((part) => part.trimEnd())
    .join('\n\n');
  return cppHeader(model, 'model_settings.h', 'What the model takes and gives.', ['<stddef.h>', '<stdint.h>'], body);
}

/** A model without labels has no array, which would be empty. */
function labelConstants(labels: readonly string[]): string {
  const count = `// Names of the outputs, in UTF-8.
inline constexpr size_t kNumLabels = ${labels.length};`;
  if (labels.length === 0) return count;
  const lines = labels.map((label) => `    ${cString(label)},\n`);
  return `${count}\ninline constexpr const char* kLabels[kNumLabels] = {\n${lines.join('')}};`;
}

function portConstants(role: 'Input' | 'Output', { name, dtype, shape, size, quant }: ExportedPort): string {
  const quantization =
    quant === null
      ? ''
      : `// real = scale * (code - zero point)
inline constexpr float k${role}Scale = ${cFloat(quant.scale)};
inline constexpr int k${role}ZeroPoint = ${quant.zeroPoint};
`;
  return `// ${role}: ${inComment(name)}
using ${role}Type = ${cppType(dtype)};
inline constexpr int k${role}Shape[] = {${shape.join(', ')}};
inline constexpr size_t k${role}Size = ${size};
${quantization}`;
}

function decisionConstants({ code, real, source }: Decision): string {
  return `// From which output on a label applies: ${source}.
${code === null ? '' : `inline constexpr int kThresholdCode = ${code};\n`}inline constexpr float kThreshold = ${cFloat(Math.fround(real))};
`;
}
