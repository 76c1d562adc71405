/** Code for a device: from what it measures to a code of the model's input, in C (and C++) and in JavaScript. */
import { inComment } from './literals.ts';

export interface InputPort {
  readonly dtype: string;
  readonly scale: number | null;
  readonly zeroPoint: number | null;
}

export interface MeasuredChannel {
  readonly name: string;
  readonly mean: number;
  readonly deviation: number;
}

/** The same in two languages. */
export interface DeviceCode {
  readonly c: string;
  readonly javascript: string;
}

/** How the parts of the code are called. */
interface Names {
  readonly input: string;
  readonly mean: string;
  readonly deviation: string;
}

/** One function, by channel, to be pasted; C includes what it needs. */
export function deviceCode(channels: readonly MeasuredChannel[], port: InputPort): DeviceCode {
  const code = measuredInput(channels, port, { input: 'input', mean: 'mean', deviation: 'deviation' });
  const includes = port.scale === null ? '' : '#include <math.h>\n#include <stdint.h>\n';
  return { ...code, c: `${includes}${code.c}` };
}

/**
 * The function that gives the input of the model for a measured value. It rounds as training does, bit for bit: the
 * standardized value once to float32, the steps of the scale once more, codes half away from zero.
 *
 * @param channels in the order of the input's last axis
 */
export function measuredInput(
  channels: readonly MeasuredChannel[],
  { dtype, scale, zeroPoint }: InputPort,
  names: Names,
): DeviceCode {
  const { input, mean, deviation } = names;
  const [means, deviations] = [channels.map((channel) => channel.mean), channels.map((each) => each.deviation)];
  const order = `// channel: ${channels.map(({ name }) => inComment(name)).join(', ')}`;
  const tables = (open: string, close: string, number: (value: number) => string): string[] => [
    `${mean}${open}${means.map(number).join(', ')}${close};`,
    `${deviation}${open}${deviations.map(number).join(', ')}${close};`,
  ];
  const areFloats = [...means, ...deviations].every((value) => Math.fround(value) === value);
  const inC = tables(`[${channels.length}] = {`, '}', areFloats ? float : String).map(
    (line) => `static const ${areFloats ? 'float' : 'double'} ${line}`,
  );
  const inJavascript = tables(' = [', ']', String).map((line) => `const ${line}`);
  const headJavascript = [order, ...inJavascript, `function ${input}(measured, channel) {`];
  const headC = (type: string): string[] => [
    order,
    ...inC,
    `static inline ${type} ${input}(float measured, int channel) {`,
  ];
  const value = `(measured - ${mean}[channel]) / ${deviation}[channel]`;
  // In float32 the difference would be rounded too.
  const valueC = `(float)(((double)measured - ${mean}[channel]) / ${deviation}[channel])`;
  const text = (lines: readonly string[]): string => [...lines, '}'].join('\n');
  if (scale === null || zeroPoint === null) {
    return {
      c: text([...headC('float'), `  return ${valueC};`]),
      javascript: text([...headJavascript, `  return Math.fround(${value});`]),
    };
  }
  const [low, high] = dtype === 'uint8' ? [0, 255] : [-128, 127];
  const [lowC, highC] = [float(low), float(high)];
  return {
    c: text([
      ...headC(`${dtype}_t`),
      `  const float value = ${valueC};`,
      `  const float code = roundf(value / ${float(scale)}) + ${float(zeroPoint)};`,
      `  return (${dtype}_t)(code < ${lowC} ? ${lowC} : code > ${highC} ? ${highC} : code);`,
    ]),
    javascript: text([
      ...headJavascript,
      `  const value = Math.fround(${value});`,
      `  const steps = Math.fround(value / ${scale});`,
      `  const code = Math.sign(steps) * Math.round(Math.abs(steps)) + ${zeroPoint};`,
      `  return Math.min(${high}, Math.max(${low}, code));`,
    ]),
  };
}

/** A literal of C. */
function float(value: number): string {
  const text = String(value);
  return /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
}
