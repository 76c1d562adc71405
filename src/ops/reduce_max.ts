import { reduceExtreme } from './reduce_extreme.ts';

export const reduceMax = reduceExtreme('reduce_max', 82, -Infinity, Math.max);
