import { readFileSync } from 'node:fs';
import { packageFile } from '../core/package-file.ts';

export function packageVersion(): string {
  const file = packageFile('package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version; // our own package.json
}
