import { readFile } from 'node:fs/promises';
import { readTflite } from '../tflite/read.ts';
import { defineImporter } from './define.ts';

export const tflite = defineImporter({
  name: 'tflite',
  title: 'TensorFlow Lite model',
  extensions: ['.tflite'],
  recognizes: ({ head }) => String.fromCharCode(...head.subarray(4, 8)) === 'TFL3',
  files: (path) => [path],
  async read(path) {
    const graph = readTflite(await readFile(path), path);
    return { graph, classes: null, notes: [] };
  },
});
