/** The program interpreter: every thread runs the same instructions, each on its part of the work. */
import * as code from '../opcodes';
import { floats, integer, pointer } from './arguments';
import { barrier } from './barrier';
import { normApply, normGradApply, normGradStatistics, normGradSums, normStatistics, normSums } from './batch-norm';
import { combineFilterGradient, convolve, filterGradient } from './convolution';
import { depthwise, depthwiseGradFilter, depthwiseGradInput } from './depthwise';
import { dropout } from './dropout';
import { add, copy, expand, relu, reluGrad } from './elementwise';
import { affineRows, foldCorrectGradTables, foldCorrectTables, foldFactors, foldGammaGrad, scaleChannels } from './folding';
import { applyFunction, applyFunctionGrad, l2Normalize, l2NormalizeGrad, multiply, prelu, preluGrad, subtract } from './functions';
import { packPanels } from './gemm';
import {
  crossEntropyGrad,
  crossEntropyRows,
  crossEntropySum,
  errorGrad,
  errorMean,
  errorSlices,
  sigmoidCrossEntropyGrad,
  sigmoidCrossEntropyRows,
  softmax,
  top1Count,
  top1Slices,
} from './loss';
import { copyStrided, fill } from './move';
import { adamUpdate, crossReplica, increment, momentumUpdate, movingAverage, reached, runningExtreme, zeroDebias } from './optimizer';
import { averagePool, averagePoolGrad, maxPool, maxPoolGrad } from './pool';
import { fakeQuant, observeRange, observeSlices } from './quant';
import { reduce, reduceSlices } from './reduce';
import { resize, resizeGrad } from './resize';

/**
 * Runs a program to its end. One flat switch with a case for each kernel, which compiles to one jump: it is as long as
 * there are kernels, and a part of it would mean nothing.
 *
 * @param teamThread this thread's place in its replica's team of `teamThreads`
 * @param thread this thread's place among all `threads`
 * @param scratch memory that no other thread touches
 */
export function run(
  program: usize,
  teamThread: i32,
  teamThreads: i32,
  thread: i32,
  threads: i32,
  scratch: usize,
): void {
  for (;;) {
    const operation = integer(program, 0),
      all = integer(program, 1) == code.ALL,
      words = integer(program, 2);
    const args = program + 12;
    program = args + floats(words);
    const part = all ? thread : teamThread,
      parts = all ? threads : teamThreads;
    switch (operation) {
      case code.END:
        return;
      case code.BARRIER:
        barrier(pointer(args, 0), parts);
        break;
      case code.COPY:
        copy(args, part, parts);
        break;
      case code.ADD:
        add(args, part, parts);
        break;
      case code.RELU:
        relu(args, part, parts);
        break;
      case code.RELU_GRAD:
        reluGrad(args, part, parts);
        break;
      case code.EXPAND:
        expand(args, part, parts);
        break;
      case code.SUBTRACT:
        subtract(args, part, parts);
        break;
      case code.MULTIPLY:
        multiply(args, part, parts);
        break;
      case code.PRELU:
        prelu(args, part, parts);
        break;
      case code.PRELU_GRAD:
        preluGrad(args, part, parts);
        break;
      case code.FILL:
        fill(args, part, parts);
        break;
      case code.COPY_STRIDED:
        copyStrided(args, part, parts);
        break;
      case code.FUNCTION:
        applyFunction(args, part, parts);
        break;
      case code.FUNCTION_GRAD:
        applyFunctionGrad(args, part, parts);
        break;
      case code.L2_NORMALIZE:
        l2Normalize(args, part, parts);
        break;
      case code.L2_NORMALIZE_GRAD:
        l2NormalizeGrad(args, part, parts);
        break;
      case code.PACK_PANELS:
        packPanels(args, part, parts);
        break;
      case code.CONVOLVE:
        convolve(args, part, parts, scratch);
        break;
      case code.FILTER_GRADIENT:
        filterGradient(args, part, parts, scratch);
        break;
      case code.COMBINE_FILTER_GRADIENT:
        combineFilterGradient(args, part, parts);
        break;
      case code.DEPTHWISE:
        depthwise(args, part, parts);
        break;
      case code.DEPTHWISE_GRAD_INPUT:
        depthwiseGradInput(args, part, parts);
        break;
      case code.DEPTHWISE_GRAD_FILTER:
        depthwiseGradFilter(args, part, parts);
        break;
      case code.MAX_POOL:
        maxPool(args, part, parts);
        break;
      case code.MAX_POOL_GRAD:
        maxPoolGrad(args, part, parts);
        break;
      case code.AVERAGE_POOL:
        averagePool(args, part, parts);
        break;
      case code.AVERAGE_POOL_GRAD:
        averagePoolGrad(args, part, parts);
        break;
      case code.RESIZE:
        resize(args, part, parts);
        break;
      case code.RESIZE_GRAD:
        resizeGrad(args, part, parts);
        break;
      case code.REDUCE:
        reduce(args, part, parts, scratch);
        break;
      case code.REDUCE_SLICES:
        reduceSlices(args, part, parts, scratch);
        break;
      case code.NORM_SUMS:
        normSums(args, part, parts);
        break;
      case code.NORM_STATISTICS:
        normStatistics(args, part, parts);
        break;
      case code.NORM_APPLY:
        normApply(args, part, parts, scratch);
        break;
      case code.NORM_GRAD_SUMS:
        normGradSums(args, part, parts);
        break;
      case code.NORM_GRAD_STATISTICS:
        normGradStatistics(args, part, parts);
        break;
      case code.NORM_GRAD_APPLY:
        normGradApply(args, part, parts, scratch);
        break;
      case code.FOLD_FACTORS:
        foldFactors(args, part, parts);
        break;
      case code.SCALE_CHANNELS:
        scaleChannels(args, part, parts);
        break;
      case code.FOLD_GAMMA_GRAD:
        foldGammaGrad(args, part, parts);
        break;
      case code.FOLD_CORRECT_TABLES:
        foldCorrectTables(args, part, parts);
        break;
      case code.FOLD_CORRECT_GRAD_TABLES:
        foldCorrectGradTables(args, part, parts);
        break;
      case code.AFFINE_ROWS:
        affineRows(args, part, parts);
        break;
      case code.DROPOUT:
        dropout(args, part, parts);
        break;
      case code.FAKE_QUANT:
        fakeQuant(args, part, parts, scratch);
        break;
      case code.OBSERVE_RANGE:
        observeRange(args, part, parts, scratch);
        break;
      case code.OBSERVE_SLICES:
        observeSlices(args, part, parts);
        break;
      case code.SOFTMAX:
        softmax(args, part, parts);
        break;
      case code.CROSS_ENTROPY_ROWS:
        crossEntropyRows(args, part, parts, scratch);
        break;
      case code.CROSS_ENTROPY_SUM:
        crossEntropySum(args, part);
        break;
      case code.CROSS_ENTROPY_GRAD:
        crossEntropyGrad(args, part, parts);
        break;
      case code.SIGMOID_CROSS_ENTROPY_ROWS:
        sigmoidCrossEntropyRows(args, part, parts);
        break;
      case code.SIGMOID_CROSS_ENTROPY_GRAD:
        sigmoidCrossEntropyGrad(args, part, parts);
        break;
      case code.TOP_1_SLICES:
        top1Slices(args, part, parts);
        break;
      case code.TOP_1_COUNT:
        top1Count(args, part);
        break;
      case code.ERROR_SLICES:
        errorSlices(args, part, parts);
        break;
      case code.ERROR_MEAN:
        errorMean(args, part);
        break;
      case code.ERROR_GRAD:
        errorGrad(args, part, parts);
        break;
      case code.INCREMENT:
        increment(args, part);
        break;
      case code.REACHED:
        reached(args, part);
        break;
      case code.MOVING_AVERAGE:
        movingAverage(args, part, parts);
        break;
      case code.RUNNING_EXTREME:
        runningExtreme(args, part, parts);
        break;
      case code.ZERO_DEBIAS:
        zeroDebias(args, part, parts);
        break;
      case code.MOMENTUM_UPDATE:
        momentumUpdate(args, part, parts);
        break;
      case code.ADAM_UPDATE:
        adamUpdate(args, part, parts);
        break;
      case code.CROSS_REPLICA:
        crossReplica(args, part, parts);
        break;
      default:
        unreachable();
    }
  }
}
