/** What the random cases are drawn from. Set ORACLE_SEED to repeat a failure, ORACLE_VARIATIONS to draw more. */
export const seed = Number(process.env['ORACLE_SEED'] ?? 1);

/** Random relatives of each hand-made sample. */
export const variations = Number(process.env['ORACLE_VARIATIONS'] ?? 4);
