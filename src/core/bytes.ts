/** Sizes as people write them. One letter is what data sheets of memory mean: a power of two. */
const units = {
  k: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;

const isUnit = (unit: string): unit is keyof typeof units => Object.hasOwn(units, unit);

/** Bytes of `64k`, `1.5 GiB`: a number and a unit; null for anything else. */
export function parseBytes(text: string): number | null {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(text) ?? [];
  return isUnit(unit) ? Math.floor(Number(number) * units[unit]) : null;
}
