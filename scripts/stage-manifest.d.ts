/** Sources that were parsed before, by their text. */
export type ParsedSources = Map<string, (isRead: (field: string) => boolean) => string>;

export interface CodeDigest {
  /** `sha256:` and 64 hexadecimal digits. */
  readonly code: string;
  /** Names of the packages that the code imports. */
  readonly packages: readonly string[];
}

/** Digests of stage kinds, engines or `data`, of the sources below `root`. */
export function codeDigests(
  root: string,
  names: readonly string[],
  parsed?: ParsedSources,
): Promise<Readonly<Record<string, CodeDigest>>>;

export function writeStageManifest(root: string): Promise<void>;
