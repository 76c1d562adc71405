import { expect, it } from 'vitest';
import { expectSoundOnnx } from './onnx-fuzz-suite.ts';
import { onnxSubject } from './onnx-fuzz.ts';

it('the whole ONNX file runs', async () => expect(await onnxSubject.use(onnxSubject.bytes)).toBe('ran'));

it('a damaged ONNX file is refused with the place of the fault, or runs', () => expectSoundOnnx(2026, 500), 60_000);
