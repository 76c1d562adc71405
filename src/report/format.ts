/** Numbers as people read them. No locale: equal inputs give equal bytes on every machine. */

const NARROW_SPACE = '\u202f';
const MINUS = '\u2212';
export const NOT_MEASURED = '\u2013';

/** A number that may not have been measured. */
export function orNone(value: number | null, format: (value: number) => string): string {
  return value === null ? NOT_MEASURED : format(value);
}

/** Decimal places fixed, thousands set apart, a true minus. */
export function fixed(value: number, places: number): string {
  const [whole = '', fraction] = Math.abs(value).toFixed(places).split('.');
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, NARROW_SPACE) : whole;
  const digits = fraction === undefined ? grouped : `${grouped}.${fraction}`;
  return value < 0 && /[1-9]/.test(digits) ? MINUS + digits : digits;
}

export function integer(value: number): string {
  return fixed(value, 0);
}

/** Four significant digits, for scales and ranges. */
export function significant(value: number): string {
  if (value === 0) return '0';
  const magnitude = Math.abs(value);
  if (magnitude >= 1e-4 && magnitude < 1e6) return String(Number(value.toPrecision(4))).replace('-', MINUS);
  return value.toExponential(3).replaceAll('-', MINUS);
}

/** A float32 scale with all the digits that tell it from its neighbours. */
export function fullScale(scale: number): string {
  return String(Number(scale.toPrecision(9))).replace('-', MINUS);
}

/** A fraction in 0..1 as a percentage with two decimals. */
export function percent(share: number): string {
  return `${fixed(share * 100, 2)}${NARROW_SPACE}%`;
}

/** A change relative to the earlier value, as a percentage, always with its sign. */
export function change(share: number): string {
  const text = percent(share);
  return share > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/** A difference of two fractions in percentage points, always with its sign. */
export function points(difference: number): string {
  const text = fixed(difference * 100, 2);
  return `${/[1-9]/.test(text) && difference > 0 ? '+' : ''}${text}${NARROW_SPACE}pp`;
}

export function bytes(count: number): string {
  if (count < 1024) return `${count}${NARROW_SPACE}B`;
  if (count < 1024 * 1024) return `${fixed(count / 1024, 1)}${NARROW_SPACE}KiB`;
  return `${fixed(count / (1024 * 1024), 2)}${NARROW_SPACE}MiB`;
}

export function seconds(value: number): string {
  if (value < 0.95) return `${integer(value * 1000)}${NARROW_SPACE}ms`;
  if (value < 99.95) return `${fixed(value, 1)}${NARROW_SPACE}s`;
  const whole = Math.round(value);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}${NARROW_SPACE}min`;
}

export function decibel(value: number): string {
  return `${fixed(value, 1)}${NARROW_SPACE}dB`;
}

/** p-values: three decimals; smaller values are shown as `< 0.001`. */
export function probability(p: number): string {
  return p < 0.001 ? '< 0.001' : fixed(p, 3);
}

export function shapeText(shape: readonly number[]): string {
  return shape.length === 0 ? 'scalar' : shape.join('\u00d7');
}

/** The first 12 hexadecimal digits, as everywhere in the tool; a `sha256:` prefix is dropped. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}

export function capitalized(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
