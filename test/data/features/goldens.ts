/** The signals of micro-frontend-goldens.py, made again. */
export function goldenSignal(kind: string, seed: number, count: number): Int16Array {
  let state = seed;
  return Int16Array.from({ length: count }, (_, index) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const noise = (state >>> 16) - 32768;
    if (kind === 'noise') return noise >> (seed % 12);
    if (kind === 'triangle') {
      const phase = (index * ((seed % 997) + 20)) % 65536;
      return ((Math.abs(phase - 32768) - 16384) >> (seed % 4)) + (noise >> 6);
    }
    if (kind === 'bursts') return Math.floor(index / 700) % 3 === 1 ? noise >> 2 : noise >> 11;
    return Math.floor(index / ((seed % 50) + 1)) % 2 === 0 ? -32768 : 32767;
  });
}
