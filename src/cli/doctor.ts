import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import Table from 'cli-table3';
import type { createColors } from 'picocolors';
import { UserError } from '../core/diagnostic.ts';
import { packageFile } from '../core/package-file.ts';
import { findAddon } from '../engine/tensorflow/addon.ts';
import { wrap } from '../report/text-table.ts';
import { probe } from '../install/probe.ts';
import { qpipeHome } from '../install/home.ts';
import { findProgram } from '../core/programs.ts';
import { packageJson } from '../core/version.ts';

/** What one part of qpipe needs, and whether it is installed. */
export interface Check {
  readonly name: string;
  readonly status: 'ok' | 'absent' | 'broken';
  /** Whether `qpipe run` needs it with an ordinary pipeline. */
  readonly need: 'required' | 'optional';
  /** Versions, places, or what is wrong. */
  readonly found: string;
  /** What to do; null when there is nothing to do. */
  readonly remedy: string | null;
}

export interface Health {
  /** Whether everything that is required is installed. */
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

export interface DoctorOptions {
  /** The folder that qpipe keeps for all pipelines; default: what the environment says. */
  readonly home?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Looks at everything that qpipe can use on this machine. */
export async function doctor(options: DoctorOptions = {}): Promise<Health> {
  const env = options.env ?? process.env;
  const checks = [
    nodeCheck(process.versions.node, packageJson().engines.node),
    await webAssemblyCheck(),
    await wasmEngineCheck(),
    ...(await tensorflowChecks(options.home ?? qpipeHome(env))),
    await litertCheck(),
    ...oracleChecks(),
    slurmCheck(env),
  ];
  return { ok: checks.every(({ need, status }) => need === 'optional' || status === 'ok'), checks };
}

/** @param oldest what package.json's `engines` says, for example `>=20.19` */
export function nodeCheck(version: string, oldest: string): Check {
  const [major, minor] = numbersOf(version);
  const [oldestMajor, oldestMinor] = numbersOf(oldest);
  const ok = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
  return {
    name: 'Node',
    status: ok ? 'ok' : 'broken',
    need: 'required',
    found: version,
    remedy: ok ? null : `install Node ${oldestMajor}.${oldestMinor} or newer`,
  };
}

function numbersOf(version: string): readonly [number, number] {
  const [major = 0, minor = 0] = (version.match(/\d+/g) ?? []).map(Number);
  return [major, minor];
}

/** A function whose body is `v128.const 0; drop`: valid only where SIMD is. */
const simdModule = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // magic and version
  ...[1, 4, 1, 0x60, 0, 0], // types: one, () -> ()
  ...[3, 2, 1, 0], // functions: one, of type 0
  ...[10, 23, 1, 21, 0, 0xfd, 12, ...new Uint8Array(16), 0x1a, 0x0b], // code: one body of 21 bytes
);

/** A shared memory of at most one page: valid only where threads are. */
const threadsModule = Uint8Array.of(...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], ...[5, 4, 1, 3, 1, 1]);

async function webAssemblyCheck(): Promise<Check> {
  const features = { SIMD: simdModule, 'shared memory': threadsModule };
  const lacks: string[] = [];
  for (const [name, module] of Object.entries(features)) {
    await WebAssembly.compile(module).catch(() => lacks.push(name));
  }
  const cores = os.availableParallelism();
  return {
    name: 'WebAssembly',
    status: lacks.length === 0 ? 'ok' : 'broken',
    need: 'required',
    found:
      lacks.length === 0
        ? `${Object.keys(features).join(', ')}; ${cores} ${cores === 1 ? 'core' : 'cores'}`
        : `no ${lacks.join(', no ')}`,
    remedy: lacks.length === 0 ? null : 'use a Node build for this processor, without flags that disable them',
  };
}

async function wasmEngineCheck(): Promise<Check> {
  const files = ['dist/engine/wasm/kernels.wasm', 'dist/interpreter/wasm/integer.wasm'];
  const base = { name: 'engine wasm', need: 'required' } as const;
  try {
    for (const file of files) await WebAssembly.compile(readFileSync(packageFile(file)));
    return { ...base, status: 'ok', found: 'float and integer kernels', remedy: null };
  } catch (error) {
    const remedy = isCheckout() ? 'npm run build' : 'install qpipe again';
    return { ...base, status: 'broken', found: reasonOf(error), remedy };
  }
}

async function tensorflowChecks(home: string): Promise<Check[]> {
  const base = { name: 'engine tensorflow', need: 'optional' } as const;
  const install = 'qpipe engine install tensorflow';
  const folder = findAddon(home);
  if (folder === null) return [{ ...base, status: 'absent', found: 'not installed', remedy: install }];
  try {
    const { version, kernels } = await probe(folder);
    const own = { ...base, name: "qpipe's kernels" };
    return [
      { ...base, status: 'ok', found: `${version}\n${folder}`, remedy: null },
      kernels === null
        ? {
            ...own,
            status: 'absent',
            found: "TensorFlow's own ops are used, which quantize more slowly",
            remedy: install,
          }
        : { ...own, status: 'ok', found: `qpipe's, version ${kernels}`, remedy: null },
    ];
  } catch (error) {
    return [{ ...base, status: 'broken', found: reasonOf(error), remedy: `${install} --force` }];
  }
}

async function litertCheck(): Promise<Check> {
  const base = { name: 'LiteRT', need: 'optional' } as const;
  try {
    await import('@litertjs/core');
    return { ...base, status: 'ok', found: 'an independent check in the test stage', remedy: null };
  } catch (error) {
    return { ...base, status: 'broken', found: reasonOf(error), remedy: 'npm install @litertjs/core' };
  }
}

/** Only a checkout has tests that compare with it. */
function oracleChecks(): Check[] {
  if (!isCheckout()) return [];
  const ready = packageFile('.oracle/ready');
  const base = { name: 'Python oracle', need: 'optional' } as const;
  return existsSync(ready)
    ? [{ ...base, status: 'ok', found: readFileSync(ready, 'utf8').trim(), remedy: null }]
    : [
        {
          ...base,
          status: 'absent',
          found: 'tests compare with it if it is installed',
          remedy: 'npm run oracle:setup',
        },
      ];
}

function slurmCheck(env: NodeJS.ProcessEnv): Check {
  const sbatch = findProgram('sbatch', env);
  return {
    name: 'Slurm',
    status: sbatch === null ? 'absent' : 'ok',
    need: 'optional',
    found: sbatch ?? 'sbatch is not on PATH',
    remedy: sbatch === null ? 'needed only on a cluster: run qpipe where sbatch is available' : null,
  };
}

const isCheckout = (): boolean => existsSync(packageFile('scripts/oracle-setup.js'));

function reasonOf(error: unknown): string {
  if (error instanceof UserError) return error.diagnostics.map(({ message }) => message).join('\n');
  return error instanceof Error ? error.message : String(error);
}

/** @param columns at which the table ends; Infinity never breaks a line */
export function healthText({ checks }: Health, columns: number, colors: ReturnType<typeof createColors>): string {
  const marks = { ok: colors.green('ok'), absent: colors.yellow('absent'), broken: colors.red('broken') };
  const rows = checks.map(({ name, status, found, remedy }) => ({
    name,
    status,
    lines: [...found.split('\n'), ...(remedy === null ? [] : [`remedy: ${remedy}`])],
  }));
  const longest = (texts: readonly string[]): number => Math.max(...texts.map((text) => text.length));
  // Beside the texts: two spaces in each of three columns, and four lines between and around them.
  const others = longest(rows.map(({ name }) => name)) + longest(rows.map(({ status }) => status)) + 10;
  const width = Math.min(longest(rows.flatMap(({ lines }) => lines)), Math.max(20, columns - others));
  const table = new Table({
    head: ['part', 'status', 'what is there'],
    colWidths: [null, null, width + 2],
    wordWrap: true,
    // What is left to break is a path, which has no words.
    wrapOnWordBoundary: false,
    style: { head: [], border: [], compact: true },
  });
  for (const { name, status, lines } of rows) {
    table.push([name, marks[status], lines.flatMap((line) => wrap(line, width)).join('\n')]);
  }
  return table.toString();
}
