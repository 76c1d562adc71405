import { reduceExtreme } from './reduce_extreme.ts';

export const reduceMin = reduceExtreme('reduce_min', 89, Infinity, Math.min);
