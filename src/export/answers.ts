/** What the output of a model says, by task: code for a device and for a browser. */
import type { Task } from '../measurements/metrics.ts';
import type { DeviceCode } from './device-code.ts';
import { cFloat } from './literals.ts';
import type { ExportedModel } from './model.ts';

type Answer = (model: ExportedModel) => DeviceCode;

/** The index of the largest of some values, the first of equals. */
const largest: DeviceCode = {
  c: `inline size_t Largest(const OutputType* values, size_t count) {
  size_t best = 0;
  for (size_t at = 1; at < count; ++at) {
    if (values[at] > values[best]) best = at;
  }
  return best;
}`,
  javascript: `/** The index of the largest, the first of equals. */
function largest(values) {
  let best = 0;
  for (let at = 1; at < values.length; at++) if (values[at] > values[best]) best = at;
  return best;
}`,
};

const join = (...codes: readonly DeviceCode[]): DeviceCode => ({
  c: codes.map(({ c }) => c).join('\n\n'),
  javascript: codes.map(({ javascript }) => javascript).join('\n\n'),
});

const classify: Answer = () =>
  join(largest, {
    c: `// Index into kLabels.
inline size_t Answer(const OutputType* output) { return Largest(output, kNumLabels); }`,
    javascript: `/** The label of an output. */
export function answer(output) {
  return settings.labels[largest(output)];
}`,
  });

const binary: Answer = () => ({
  c: `// Index into kLabels: the second label from the threshold on.
inline size_t Answer(const OutputType* output) { return ReachesThreshold(output[0]) ? 1 : 0; }`,
  javascript: `/** The label of an output: the second one from the threshold on. */
export function answer(output) {
  return settings.labels[reachesThreshold(output[0]) ? 1 : 0];
}`,
});

const multiLabel: Answer = () => ({
  c: `// Whether the label with this index into kLabels applies.
inline bool Answer(const OutputType* output, size_t label) { return ReachesThreshold(output[label]); }`,
  javascript: `/** The labels that apply. */
export function answer(output) {
  return settings.labels.filter((_, label) => reachesThreshold(output[label]));
}`,
});

const regress: Answer = ({ purpose: { targets = [] } }) => {
  const names = targets.map(({ name }) => JSON.stringify(name)).join(', ');
  const list = (numbers: readonly number[]): string => numbers.map(cFloat).join(', ');
  return {
    c: `inline constexpr float kTargetMean[] = {${list(targets.map(({ mean }) => mean))}};
inline constexpr float kTargetDeviation[] = {${list(targets.map(({ deviation }) => deviation))}};

// The target with this index into kLabels, in its own unit.
inline float Answer(const OutputType* output, size_t target) {
  return kTargetMean[target] + kTargetDeviation[target] * OutputReal(output[target]);
}`,
    javascript: `/** The targets by name (${names}), in their own units. */
export function answer(output) {
  return Object.fromEntries(
    settings.targets.map(({ name, mean, deviation }, at) => [name, mean + deviation * outputReal(output[at])]),
  );
}`,
  };
};

const reconstruct: Answer = () => ({
  c: `// Mean squared difference between what the model was given and what it gives, in real values: an anomaly has much.
inline float Answer(const InputType* input, const OutputType* output) {
  float sum = 0.0f;
  for (size_t at = 0; at < kOutputSize; ++at) {
    const float difference = InputReal(input[at]) - OutputReal(output[at]);
    sum += difference * difference;
  }
  return sum / static_cast<float>(kOutputSize);
}`,
  javascript: `/** Mean squared difference between what the model was given and what it gives, in real values. */
export function answer(output, input) {
  let sum = 0;
  for (let at = 0; at < output.length; at++) sum += (inputReal(input[at]) - outputReal(output[at])) ** 2;
  return sum / output.length;
}`,
});

const segment: Answer = () =>
  join(largest, {
    c: `// Index into kLabels of a pixel, counted row by row.
inline size_t Answer(const OutputType* output, size_t pixel) {
  return Largest(output + pixel * kNumLabels, kNumLabels);
}`,
    javascript: `/** The labels of all pixels, row by row. */
export function answer(output) {
  const { labels } = settings;
  return Array.from(
    { length: output.length / labels.length },
    (_, pixel) => labels[largest(output.subarray(pixel * labels.length, (pixel + 1) * labels.length))],
  );
}`,
  });

const answers: { readonly [T in Task]: Answer } = {
  classify,
  binary,
  multi_label: multiLabel,
  regress,
  reconstruct,
  segment,
};

export const answerCode = (model: ExportedModel): DeviceCode => answers[model.purpose.task](model);

/** The names of what a model tells apart, or gives numbers for, in the order of its outputs. */
export function labelsOf({ purpose: { classes, tags, targets } }: Pick<ExportedModel, 'purpose'>): readonly string[] {
  return tags ?? targets?.map(({ name }) => name) ?? classes;
}
