/** The words of `target` in a pipeline, in the order in which they are shown. */
export const targetNames = ['tflm', 'litert', 'ethos_u55', 'edgetpu'] as const;

export type TargetName = (typeof targetNames)[number];
