/** A bug of ours, never the user's mistake: the message starts with `internal:`, and the stack trace is shown. */
export function internal(message: string): never {
  throw new Error(`internal: ${message}`);
}

/** Ends an exhaustive `switch`: a new union member that is not handled does not compile. */
export function unreachable(value: never): never {
  return internal(`unhandled case ${JSON.stringify(value)}`);
}

/** The value, or an internal error naming what was missing. For look-ups whose success was argued before. */
export function present<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) return internal(`missing ${what}`);
  return value;
}
