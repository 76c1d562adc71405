/** How the steps of an install are shown. */
import { Listr } from 'listr2';
import type { StepRunner } from '../install/steps.ts';

/** For logs and pipes. */
export function plainSteps(write: (line: string) => void): StepRunner {
  return async (steps) => {
    for (const { title, run } of steps) {
      write(`${title}: started`);
      const seconds = await secondsOf(run(() => undefined));
      write(`${title}: ${timeText(seconds)}`);
    }
  };
}

/** One JSON object a line, for programs. */
export function jsonSteps(write: (line: string) => void): StepRunner {
  return async (steps) => {
    for (const { title, run } of steps) {
      write(JSON.stringify({ kind: 'step-started', step: title }));
      const seconds = await secondsOf(run((line) => write(JSON.stringify({ kind: 'step-output', step: title, line }))));
      write(JSON.stringify({ kind: 'step-finished', step: title, seconds }));
    }
  };
}

/** A list in a terminal; the step that runs shows its latest line. */
export function terminalSteps(terminal: { readonly columns: number }): StepRunner {
  // Listr indents the line and would break a longer one.
  const width = terminal.columns - 8;
  return async (steps) => {
    const list = new Listr(
      steps.map(({ title, run }) => ({
        title,
        task: async (_context: unknown, task) => {
          const seconds = await secondsOf(run((line) => void (task.output = line.slice(0, width))));
          task.title = `${title}  ${timeText(seconds)}`;
        },
        rendererOptions: { outputBar: 1 },
      })),
      {
        // We handle Ctrl-C: unfinished files are removed first.
        registerSignalListeners: false,
        rendererOptions: { collapseErrors: false, showErrorMessage: false },
      },
    );
    await list.run();
  };
}

async function secondsOf(work: Promise<void>): Promise<number> {
  const start = performance.now();
  await work;
  return (performance.now() - start) / 1000;
}

const timeText = (seconds: number): string => `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
