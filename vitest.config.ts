import { defineConfig } from 'vitest/config';

/**
 * Folders whose tests neither mock modules nor change the process: their files share the modules that a worker has
 * loaded, which takes half of the time.
 */
const sharing = [
  ...['calibration', 'cli', 'config', 'contract', 'core', 'data', 'evaluation', 'export', 'flatbuffer', 'formats'],
  ...['graph', 'graphdef', 'importers', 'interpreter', 'models', 'oracle', 'passes', 'protobuf'],
  ...['report', 'stages', 'targets', 'tasks', 'tflite', 'training'],
].map((folder) => `test/${folder}/**/*.test.ts`);

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Two cores: more workers only fight over them.
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'sharing', include: sharing, isolate: false } },
      { extends: true, test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: sharing } },
    ],
  },
});
