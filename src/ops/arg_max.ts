import { argExtreme } from './arg_extreme.ts';

export const argMax = argExtreme('arg_max', { builtinCode: 56, optionsType: 40 }, (value, best) => value > best);
