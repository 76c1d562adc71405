import { argExtreme } from './arg_extreme.ts';

export const argMin = argExtreme('arg_min', { builtinCode: 79, optionsType: 57 }, (value, best) => value < best);
