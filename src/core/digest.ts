/** Content of a file, or of anything else that is named by its bytes; 64 lower-case hex digits. */
export type Digest = `sha256:${string}`;
