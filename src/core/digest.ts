/** SHA-256 of a file or of other bytes, as 64 lower-case hex digits. */
export type Digest = `sha256:${string}`;
