import { extreme } from './extreme.ts';

export const minimum = extreme('minimum', 57, Math.min);
