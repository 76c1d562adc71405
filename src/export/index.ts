/** The files of an exported folder. */
import type { Exported } from './exported.ts';
import { invokeHeader, tflmInvokeSource } from './invoke.ts';
import { mainProgram } from './main-program.ts';
import { modelDataHeader, modelDataSource } from './model-data.ts';
import { modelIoHeader } from './model-io.ts';
import { modelSettingsHeader } from './model-settings.ts';
import { opResolverHeader } from './op-resolver.ts';
import { readme } from './readme.ts';
import { testVectorsHeader, testVectorsJson, testVectorsSource } from './test-vectors.ts';
import { modelFile } from './tflite-metadata.ts';
import { webCheck, webFile, webModule } from './web-model.ts';

/** By name in the folder; each is a function of what is known of the model and of nothing else. */
export const exportedFiles = {
  'README.md': readme,
  'main.cc': mainProgram,
  'model.tflite': modelFile,
  'model_data.cc': modelDataSource,
  'model_data.h': modelDataHeader,
  'model_io.h': modelIoHeader,
  'model_settings.h': modelSettingsHeader,
  'op_resolver.h': opResolverHeader,
  'qpipe_invoke.h': invokeHeader,
  'test_vectors.cc': testVectorsSource,
  'test_vectors.h': testVectorsHeader,
  'test_vectors.json': testVectorsJson,
  'tflm_invoke.cc': tflmInvokeSource,
  'web/check.js': webCheck,
  'web/model.js': webModule,
  'web/model.tflite': webFile,
} as const satisfies Readonly<Record<string, (exported: Exported) => string | Uint8Array>>;
