import { readFileSync } from 'node:fs';
import { packageFile } from './package-file.ts';

interface PackageJson {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly peerDependencies: Readonly<Record<string, string>>;
}

export function packageJson(): PackageJson {
  return JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as PackageJson; // our own
}

export function packageVersion(): string {
  return packageJson().version;
}
