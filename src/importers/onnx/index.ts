import { defineImporter } from '../define.ts';
import { modelFiles } from './external.ts';
import { readFileSync, statSync } from 'node:fs';
import { readOnnx } from './read.ts';

/** ModelProto begins with its version, at least 3 since ONNX is ONNX, and goes on with the producer or the graph. */
const secondTags: ReadonlySet<number> = new Set([0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42]);

export const onnx = defineImporter({
  name: 'onnx',
  title: 'ONNX model',
  extensions: ['.onnx'],
  recognizes({ path, head }) {
    const [tag, version = 0, next = 0] = head;
    return (
      path.toLowerCase().endsWith('.onnx') || (tag === 0x08 && version >= 3 && version < 32 && secondTags.has(next))
    );
  },
  files: modelFiles,
  async read(path) {
    const fileBytes = modelFiles(path).reduce((total, file) => total + statSync(file).size, 0);
    return Promise.resolve(readOnnx(readFileSync(path), path, fileBytes));
  },
});
