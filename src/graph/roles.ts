/** What variables are, whatever their names: what trains them, and what files keep of them. */

interface RoleRule {
  /** Gets a gradient, unless the graph says that this one variable is fixed. */
  readonly trainable: boolean;
  /** Part of a trained model; the others matter to training, or are computed again. */
  readonly kept: boolean;
}

const roles = {
  /** Multiplied with what comes in. Weight decay shrinks these and no others. */
  weight: { trainable: true, kept: true },
  bias: { trainable: true, kept: true },
  /** What an activation multiplies by below zero. */
  slope: { trainable: true, kept: true },
  /** Factor and offset of batch norm. */
  gamma: { trainable: true, kept: true },
  beta: { trainable: true, kept: true },
  /** Statistics of batch norm that inference uses. */
  moving_mean: { trainable: false, kept: true },
  moving_variance: { trainable: false, kept: true },
  /** Ends of an activation's range, estimated over the steps; `owner` is the quantizer. */
  range_min: { trainable: false, kept: true },
  range_max: { trainable: false, kept: true },
  /** Ends of the range that weights have at the moment; `owner` is the quantizer. */
  measured_min: { trainable: false, kept: false },
  measured_max: { trainable: false, kept: false },
  /** Steps that quantization has seen. */
  counter: { trainable: false, kept: true },
  /** What an optimizer or an estimate remembers for the variable that owns it, or for all. */
  slot: { trainable: false, kept: false },
} as const satisfies { readonly [role: string]: RoleRule };

export type VariableRole = keyof typeof roles;

export const roleNames = Object.keys(roles) as readonly VariableRole[]; // Object.keys loses the key type

export const isTrainable = (role: VariableRole): boolean => roles[role].trainable;

/** Whether it is part of a trained model, and not of training alone. */
export const isKept = (role: VariableRole): boolean => roles[role].kept;
