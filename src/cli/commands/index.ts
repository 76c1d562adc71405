import type { AddCommand } from './define.ts';
import { addCache } from './cache.ts';
import { addCompare } from './compare.ts';
import { addCompletion } from './completion.ts';
import { addData } from './data.ts';
import { addDoctor } from './doctor.ts';
import { addEngine } from './engine.ts';
import { addExecStage } from './exec-stage.ts';
import { addGc } from './gc.ts';
import { addGraph } from './graph.ts';
import { addInit } from './init.ts';
import { addInspect } from './inspect.ts';
import { addLogs } from './logs.ts';
import { addLs } from './ls.ts';
import { addPin, addUnpin } from './pin.ts';
import { addPredict } from './predict.ts';
import { addReport } from './report.ts';
import { addRun } from './run.ts';
import { addSchema } from './schema.ts';
import { addStatus } from './status.ts';
import { addValidate } from './validate.ts';
import { addVerify } from './verify.ts';
import { addWhy } from './why.ts';

/** In the order of the help text. */
export const commands: readonly AddCommand[] = [
  addRun,
  addStatus,
  addLogs,
  addLs,
  addWhy,
  addVerify,
  addValidate,
  addData,
  addInit,
  addCompare,
  addReport,
  addInspect,
  addPredict,
  addGraph,
  addGc,
  addPin,
  addUnpin,
  addCache,
  addSchema,
  addCompletion,
  addEngine,
  addDoctor,
  addExecStage,
];
