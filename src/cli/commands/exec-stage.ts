import { text } from 'node:stream/consumers';
import type { JobFile, JobMessage } from '../../runner/child.ts';
import type { StageJob } from '../../stages/job.ts';
import { exitCodes } from '../exit-codes.ts';
import { out } from '../terminal.ts';
import type { AddCommand } from './define.ts';

/** Not in the help text: runs give their stages to it, people do not. */
export const addExecStage: AddCommand = (program, finish) => {
  program
    .command('exec-stage', { hidden: true })
    .description('run one stage; the job is read from standard input, and messages go to the parent process')
    .action(async () => {
      const { execStage } = await import('../exec-stage.ts');
      const { onStop } = await import('../signals.ts');
      const { signal, exitCode } = onStop();
      let code: number = exitCodes.failed;
      const send = (message: JobMessage): void => {
        if (message.kind === 'result') code = exitCodes.ok;
        // Without a parent, for instance as the job of a cluster, the messages are lines.
        if (process.send === undefined) out(JSON.stringify(message));
        else if (process.connected) process.send(message);
      };
      // The run wrote it.
      await execStage(JSON.parse(await text(process.stdin)) as JobFile<StageJob>, send, signal);
      finish(signal.aborted ? exitCode() : code);
      if (process.connected) process.disconnect();
    });
};
