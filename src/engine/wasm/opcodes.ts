/**
 * Codes of the program that the WASM threads run. Both compilers read this file: TypeScript encodes with it,
 * AssemblyScript decodes with it. An instruction is [code, scope, words of arguments, ...arguments], all int32.
 */
export const END = 0;
export const BARRIER = 1;

export const COPY = 10;
export const ADD = 11;
export const RELU = 12;
export const RELU_GRAD = 13;
export const EXPAND = 14;

export const SUBTRACT = 15;
export const MULTIPLY = 16;
export const FILL = 17;
export const COPY_STRIDED = 18;
export const FUNCTION = 19;

export const PACK_PANELS = 20;
export const CONVOLVE = 21;
export const FILTER_GRADIENT = 22;
export const COMBINE_FILTER_GRADIENT = 23;

export const DEPTHWISE = 24;
export const DEPTHWISE_GRAD_INPUT = 25;
export const DEPTHWISE_GRAD_FILTER = 26;

export const MAX_POOL = 30;
export const MAX_POOL_GRAD = 31;
export const AVERAGE_POOL = 32;
export const AVERAGE_POOL_GRAD = 33;

export const RESIZE = 34;
export const RESIZE_GRAD = 35;

export const REDUCE = 40;
export const REDUCE_SLICES = 41;

export const NORM_SUMS = 50;
export const NORM_STATISTICS = 51;
export const NORM_APPLY = 52;
export const NORM_GRAD_SUMS = 53;
export const NORM_GRAD_STATISTICS = 54;
export const NORM_GRAD_APPLY = 55;
export const FOLD_FACTORS = 56;
export const SCALE_CHANNELS = 57;
export const FOLD_GAMMA_GRAD = 58;
export const FOLD_CORRECT_TABLES = 59;
export const FOLD_CORRECT_GRAD_TABLES = 61;
export const AFFINE_ROWS = 64;

export const FAKE_QUANT = 60;
export const OBSERVE_RANGE = 62;
export const OBSERVE_SLICES = 63;

export const FUNCTION_GRAD = 65;
export const L2_NORMALIZE = 66;
export const L2_NORMALIZE_GRAD = 67;
export const DROPOUT = 68;
export const PRELU = 69;
export const PRELU_GRAD = 91;

export const SOFTMAX = 70;
export const CROSS_ENTROPY_ROWS = 71;
export const CROSS_ENTROPY_SUM = 72;
export const CROSS_ENTROPY_GRAD = 73;
export const TOP_1_COUNT = 74;
export const ERROR_SLICES = 75;
export const ERROR_MEAN = 76;
export const ERROR_GRAD = 77;
export const TOP_1_SLICES = 78;
export const SIGMOID_CROSS_ENTROPY_ROWS = 79;
export const SIGMOID_CROSS_ENTROPY_GRAD = 90;

export const INCREMENT = 80;
export const REACHED = 81;
export const MOVING_AVERAGE = 82;
export const ZERO_DEBIAS = 83;
export const MOMENTUM_UPDATE = 84;
export const ADAM_UPDATE = 85;
export const CROSS_REPLICA = 86;
export const RUNNING_EXTREME = 87;

/** The functions of FUNCTION and FUNCTION_GRAD. */
export const LEAKY_RELU = 0;
export const HARD_SWISH = 1;
export const LOGISTIC = 2;
export const TANH = 3;

/** The errors of ERROR_SLICES and ERROR_GRAD. */
export const SQUARED_ERROR = 0;
export const ABSOLUTE_ERROR = 1;
export const HUBER_ERROR = 2;

/** Scope of an instruction: cut among the threads of one replica's team, or among all threads. */
export const TEAM = 0;
export const ALL = 1;

/**
 * Sums over the batch are cut into this many slices, whatever the number of threads: the order of additions, and so
 * every byte, is the same on 1 thread and on 8.
 */
export const SLICES = 8;
