import type { Command } from 'commander';

/** Adds a command to the program; `finish` sets the exit code, which is 0 without it. */
export type AddCommand = (program: Command, finish: (code: number) => void) => void;
