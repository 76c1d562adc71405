import type { UntimedEvent } from './event.ts';
import type { RunWarning } from './record.ts';

/** What an event says of the store that whoever reads the report must know too; null for all others. */
export function warningOf(event: UntimedEvent): RunWarning | null {
  switch (event.kind) {
    case 'cache-repaired':
      return {
        code: event.kind,
        layer: null,
        message: `the stored result of stage ${event.stage} was damaged (${event.found}), so the stage ran again`,
        hint: 'check the disk that the store is on',
      };
    case 'checkpoint-damaged':
      return {
        code: event.kind,
        layer: null,
        message: `of stage ${event.stage}, ${event.found}, so some of its steps ran again`,
        hint: 'check the disk that the store is on',
      };
    case 'checkpoint-refused':
      return {
        code: event.kind,
        layer: null,
        message: `stage ${event.stage} could not save how far it was (${event.message}); had it been interrupted, it would have started again`,
        hint: event.hint,
      };
    case 'nondeterminism':
      return {
        code: event.kind,
        layer: null,
        message: `stage ${event.stage} wrote another ${event.output} than an earlier run with the same key`,
        hint: 'report it as a mistake in qpipe, with the pipeline',
      };
    default:
      return null;
  }
}
