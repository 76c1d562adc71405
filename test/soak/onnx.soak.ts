import { it } from 'vitest';
import { expectSoundOnnx } from '../importers/onnx-fuzz-suite.ts';

it(
  '20,000 damaged ONNX files are refused with the place of the fault, or run',
  () => expectSoundOnnx(1, 20_000),
  900_000,
);
