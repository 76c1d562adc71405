/** What to do about ops that networks often have and devices do not. */
const remedies: { readonly [opType: string]: string } = {
  Elu: 'train with Relu, LeakyRelu or HardSwish in its place',
  Erf: 'it is part of GELU: train with Relu or HardSwish in its place',
  Gelu: 'train with Relu or HardSwish in its place',
  Mish: 'train with HardSwish in its place',
  Selu: 'train with Relu or LeakyRelu in its place',
  Softplus: 'train with Relu in its place',
  Softsign: 'train with Tanh in its place',
  InstanceNormalization: 'train with BatchNormalization in its place',
  LayerNormalization: 'train with BatchNormalization in its place',
  GroupNormalization: 'train with BatchNormalization in its place',
  LSTM: 'no recurrent layer can be trained or quantized here: train with Conv along time in its place',
  GRU: 'no recurrent layer can be trained or quantized here: train with Conv along time in its place',
  RNN: 'no recurrent layer can be trained or quantized here: train with Conv along time in its place',
  QuantizeLinear: 'import the float model; qpipe quantizes it',
  DequantizeLinear: 'import the float model; qpipe quantizes it',
  DynamicQuantizeLinear: 'import the float model; qpipe quantizes it',
  QLinearConv: 'import the float model; qpipe quantizes it',
  QLinearMatMul: 'import the float model; qpipe quantizes it',
  If: 'simplify the model (onnxsim) so that no branch is left',
  Loop: 'simplify the model (onnxsim) so that no loop is left',
  Scan: 'simplify the model (onnxsim) so that no loop is left',
  NonMaxSuppression: 'cut the graph before it, and select boxes in the program that reads the outputs',
  TopK: 'cut the graph before it, and sort in the program that reads the outputs',
};

export function remedyFor(opType: string): string | null {
  return remedies[opType] ?? null;
}
