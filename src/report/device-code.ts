/** Code for a device: from what it measures to a code of the model's input. */

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

export interface DeviceCode {
  readonly c: string;
  readonly javascript: string;
}

/**
 * One function, by channel. It rounds as training does: each step to float32, codes half away from zero.
 *
 * @param channels in the order of the input's last axis
 */
export function deviceCode(channels: readonly MeasuredChannel[], { dtype, scale, zeroPoint }: InputPort): DeviceCode {
  const [means, deviations] = [channels.map(({ mean }) => mean), channels.map(({ deviation }) => deviation)];
  const order = channels.map(({ name }) => name.replaceAll(/[^\w .-]/g, '?')).join(', ');
  const tables = (open: string, close: string, number: (value: number) => string): string[] => [
    `mean${open}${means.map(number).join(', ')}${close};`,
    `deviation${open}${deviations.map(number).join(', ')}${close};`,
  ];
  const inC = tables(`[${channels.length}] = {`, '}', float).map((line) => `static const float ${line}`);
  const inJavascript = tables(' = [', ']', String).map((line) => `const ${line}`);
  const headJavascript = [`// channel: ${order}`, ...inJavascript, 'function input(measured, channel) {'];
  const headC = (type: string): string[] => [
    `// channel: ${order}`,
    ...inC,
    `${type} input(float measured, int channel) {`,
  ];
  const value = '(measured - mean[channel]) / deviation[channel]';
  const text = (lines: readonly string[]): string => [...lines, '}'].join('\n');
  if (scale === null || zeroPoint === null) {
    return {
      c: text([...headC('float'), `  return ${value};`]),
      javascript: text([...headJavascript, `  return Math.fround(${value});`]),
    };
  }
  const [low, high] = dtype === 'uint8' ? [0, 255] : [-128, 127];
  return {
    c: text([
      '#include <math.h>',
      '#include <stdint.h>',
      ...headC(`${dtype}_t`),
      `  float value = ${value};`,
      `  float code = roundf(value / ${float(scale)}) + ${zeroPoint};`,
      `  return code < ${low} ? ${low} : code > ${high} ? ${high} : (${dtype}_t)code;`,
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
