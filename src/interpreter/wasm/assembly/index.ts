/** The program interpreter: a thread runs the instructions of one image after the other. */
import * as code from '../opcodes';
import { integer } from '../../../wasm/assembly/arguments';
import { convolve, depthwise, widen } from './convolution';
import { add, copy, rescale } from './elementwise';
import { averagePool, maxPool } from './pool';
import { requantize } from './requantize';

export function run(program: usize): void {
  for (;;) {
    const args = program + 8;
    const operation = integer(program, 0);
    program = args + ((<usize>integer(program, 1)) << 2);
    switch (operation) {
      case code.END:
        return;
      case code.COPY:
        copy(args);
        break;
      case code.WIDEN:
        widen(args);
        break;
      case code.CONVOLVE:
        convolve(args);
        break;
      case code.DEPTHWISE:
        depthwise(args);
        break;
      case code.MAX_POOL:
        maxPool(args);
        break;
      case code.AVERAGE_POOL:
        averagePool(args);
        break;
      case code.ADD:
        add(args);
        break;
      case code.REQUANTIZE:
        rescale(args);
        break;
      default:
        unreachable();
    }
  }
}

/**
 * The arithmetic of all kernels by itself, for the test that compares it with core/fixedpoint.ts: four accumulators
 * at `at` become their results; their left factors, multipliers and right factors follow, 16 bytes each.
 */
export function requantizeAt(at: usize): void {
  v128.store(at, requantize(v128.load(at), v128.load(at, 16), v128.load(at, 32), v128.load(at, 48)));
}
