/** What a program may use of qpipe: the commands as functions, and the formats that they read and write. */
export type { VerifyCacheOptions } from './cli/cache.ts';
export { verifyCache } from './cli/cache.ts';
export type { CompareOptions } from './cli/compare.ts';
export { compare, comparisonMarkdown, comparisonText } from './cli/compare.ts';
export type { PipelineData } from './cli/data.ts';
export { describeData } from './cli/data.ts';
export { dataText } from './cli/data-text.ts';
export type { Check, DoctorOptions, Health } from './cli/doctor.ts';
export { doctor } from './cli/doctor.ts';
export type { LibrarySource } from './install/library.ts';
export type { EngineInstall, InstallOptions } from './install/tensorflow.ts';
export { installTensorflow } from './install/tensorflow.ts';
export type { GcOptions } from './cli/gc.ts';
export { collectedText, gc } from './cli/gc.ts';
export type { GraphOptions } from './cli/graph.ts';
export { graphText } from './cli/graph.ts';
export type {
  GraphDefInspection,
  InspectedTensor,
  Inspection,
  SafetensorsInspection,
  TfliteInspection,
} from './cli/inspect.ts';
export { inspect } from './cli/inspect.ts';
export { inspectionText } from './cli/inspect-text.ts';
export type { InitOptions, InitResult } from './cli/init.ts';
export { init } from './cli/init.ts';
export type { LogsOptions } from './cli/logs.ts';
export { logs } from './cli/logs.ts';
export type { ListedRun, LsOptions } from './cli/ls.ts';
export { ls } from './cli/ls.ts';
export type { PinOptions } from './cli/pin.ts';
export { pin, unpin } from './cli/pin.ts';
export type { PredictOptions, PredictOutput } from './cli/predict.ts';
export { predict } from './cli/predict.ts';
export { writeReport } from './cli/report.ts';
export { schemaNames, schemaText } from './cli/schema.ts';
export type { RunState, StageState, StatusOptions } from './cli/status.ts';
export { status } from './cli/status.ts';
export type { DryRunOptions, DryStage } from './cli/dry-run.ts';
export { dryRun } from './cli/dry-run.ts';
export type { Difference, StageChanges, Why, WhyOptions } from './cli/why.ts';
export { why, whyText } from './cli/why.ts';
export type { Verified, VerifyOptions } from './cli/verify.ts';
export { verify } from './cli/verify.ts';
export type { RunOptions, RunResult } from './cli/run.ts';
export { run } from './cli/run.ts';
export type { FoundData, Validation } from './cli/validate.ts';
export { validate } from './cli/validate.ts';

export type { DownloadProgress } from './data/download.ts';

export type { LoadedPipeline } from './config/load.ts';
export { loadPipeline, parsePipeline } from './config/load.ts';
export type { ResolvedPipeline } from './config/resolve.ts';
export type { PipelineConfig } from './config/schema.ts';
export type { Comparison } from './report/compare/index.ts';
export type { Report } from './report/report.ts';
export type { Collected } from './runner/collect.ts';
export type { RunEvent } from './runner/event.ts';
export { Interrupted } from './runner/execute.ts';
export type { RunRecord, StageRecord } from './runner/record.ts';
export type { Fault, Verification } from './runner/verify.ts';

export type { QuantParams } from './core/affine.ts';
export type { Diagnostic, Place } from './core/diagnostic.ts';
export { UserError, formatDiagnostic, formatWarning } from './core/diagnostic.ts';
export type { DataOf, DType, Shape, Tensor, TensorType } from './core/tensor.ts';
export { tensor } from './core/tensor.ts';

export { readNpy, writeNpy } from './formats/npy.ts';
export type { NamedTensors } from './formats/safetensors.ts';
export { readSafetensors, writeSafetensors } from './formats/safetensors.ts';
export type { Graph, Level, Node } from './graph/graph.ts';
export { printGraph } from './graph/print.ts';
export { readGraphDef } from './formats/protobuf/graph-def.ts';
export type { GraphDef, NodeDef } from './formats/protobuf/graph-def.ts';
export { readTflite } from './tflite/read.ts';
export { writeTflite } from './tflite/write.ts';

export type { Interpreter } from './interpreter/interpreter.ts';
export { prepareInterpreter } from './interpreter/interpreter.ts';
export type { LitertModel } from './interpreter/litert.ts';
export { openLitert } from './interpreter/litert.ts';
