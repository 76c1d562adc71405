/** How a .tflite model that the integer loops cannot run is refused, by its reader and by the interpreter. */
import type { UserError } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';
import type { ShapeError } from './define.ts';
import { UnsupportedError } from './define.ts';

/** The parts of the file contradict each other. */
export function damagedModel(path: string, message: string): UserError {
  return userError(path, 'bad-tflite', message, 'convert the model again, or run it with the runtime it was made for');
}

/** A valid file that our interpreter does not run. */
export function unsupportedModel(path: string, message: string): UserError {
  return userError(
    path,
    'unsupported-model',
    message,
    '`qpipe predict --runtime litert` may run it; `qpipe inspect` shows what is in it',
  );
}

export function refusalOf(path: string, error: ShapeError): UserError {
  return (error instanceof UnsupportedError ? unsupportedModel : damagedModel)(path, error.message);
}
