import { extreme } from './extreme.ts';

export const maximum = extreme('maximum', 55, Math.max);
