/** Exit codes of the process. */
export const exitCodes = { ok: 0, failed: 1, gateNotMet: 2, wouldRun: 3, badInput: 64, tryAgain: 75 } as const;
