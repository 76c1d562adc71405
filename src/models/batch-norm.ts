/** The constants of every batch-norm layer: Keras's epsilon, and a momentum that a few epochs can warm up. */
export const batchNormDefaults = { epsilon: 1e-3, momentum: 0.9 } as const;
