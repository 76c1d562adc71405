/**
 * `npm run bench`: times of training steps and of integer inference, ours beside those of other programs.
 *
 * Every number is measured in a process of its own, and all cases once in each round, so that what disturbs the
 * machine for a while disturbs all of them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { casesOf, everyone, levels, networks, subjects } from './cases.js';
import { integerModel } from './graphs.js';
import { affinity, commandOf, measure } from './processes.js';
import { times } from './statistics.js';
import { markdownTable, summaryTable, terminalTable, timeTable } from './table.js';

/** @typedef {import('./cases.js').Case} Case */
/** @typedef {import('./cases.js').Level} Level */
/** @typedef {import('./cases.js').Network} Network */
/** @typedef {import('./cases.js').Who} Who */
/** @typedef {import('./statistics.js').Sample} Sample */

const allNetworks = /** @type {readonly Network[]} */ (Object.keys(networks));

const program = new Command('npm run bench --')
  .description('Times of one step, medians over several processes, and ratios of what was measured in the same rounds.')
  .option('--peers', 'measure Keras, tfmot, PyTorch and TensorFlow Lite too, as far as a Python has them', false)
  .option('--who <names>', `only these of ${everyone.join(', ')}`, listOf(everyone))
  .option('--networks <names>', `only these of ${allNetworks.join(', ')}`, listOf(allNetworks))
  .option('--only <levels>', `only these of ${levels.join(', ')}`, listOf(levels))
  .option('--rounds <count>', 'processes per number', positiveInteger, 5)
  .option('--batch <images>', 'images per training step', positiveInteger, 64)
  .option('--threads <count>', 'cores that every process may use', positiveInteger, 2)
  .option('--json <file>', 'write the results to a file')
  .option('--markdown', 'print the tables as Markdown', false)
  .parse();

/**
 * @typedef {object} Options
 * @property {boolean} peers
 * @property {readonly Who[]} [who]
 * @property {readonly Network[]} [networks]
 * @property {readonly Level[]} [only]
 * @property {number} rounds
 * @property {number} batch
 * @property {number} threads
 * @property {string} [json]
 * @property {boolean} markdown
 */

/** @type {Options} */
const options = program.opts();

/**
 * @template {string} T
 * @param {readonly T[]} allowed
 * @returns {(text: string) => readonly T[]}
 */
function listOf(allowed) {
  return (text) =>
    text.split(',').map((name) => {
      const found = allowed.find((one) => one === name);
      if (found === undefined) throw new InvalidArgumentError(`"${name}" is none of ${allowed.join(', ')}.`);
      return found;
    });
}

/** @type {(text: string) => number} */
function positiveInteger(text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Expected a whole number above 0.');
  return value;
}

/** @type {(line: string) => void} */
const say = (line) => void process.stderr.write(`${line}\n`);

const free = affinity(options.threads);
const cores = 'problem' in free ? program.error(`error: ${free.problem}`) : free;
const kinds = options.peers ? ['engine', 'peer'] : ['engine'];
const who = options.who ?? everyone.filter((one) => kinds.includes(subjects[one].kind));
const { batch, threads } = options;
const selected = casesOf({
  ...{ networks: options.networks ?? allNetworks, levels: options.only ?? levels, who, batch, threads },
});

/** @type {Map<Who, readonly string[]>} */
const commands = new Map();
for (const one of who.filter((one) => subjects[one].kind === 'missing' || selected.some((row) => row.who === one))) {
  const command = await commandOf(one);
  if ('skipped' in command) say(`${one} is left out: ${command.skipped}`);
  else commands.set(one, [...cores, ...command]);
}

/** @type {Map<Case, Sample[]>} */
const samples = new Map(selected.filter((one) => commands.has(one.who)).map((one) => [one, []]));
/** @type {Map<Who, string>} */
const versions = new Map();
const [loadBefore = 0] = os.loadavg();
const models = mkdtempSync(join(os.tmpdir(), 'qpipe-bench-'));
try {
  for (const network of new Set(selected.filter(({ level }) => level === 'int8').map((one) => one.network))) {
    writeFileSync(join(models, `${network}.tflite`), await integerModel(network));
  }
  for (let round = 1; round <= options.rounds; round++) {
    // There and back, so that nobody always follows the same one.
    const order = round % 2 === 1 ? [...samples] : [...samples].reverse();
    for (const [one, list] of order) {
      const name = `${one.network} ${one.level} ${one.who}`;
      const answer = measure(one, commands.get(one.who) ?? [], models);
      if ('skipped' in answer || 'failed' in answer) {
        say('skipped' in answer ? `${name} is left out: ${answer.skipped}` : `${name} failed: ${answer.failed}`);
        if ('failed' in answer) process.exitCode = 1;
        samples.delete(one);
        continue;
      }
      const { version, ...sample } = answer;
      if (!versions.has(one.who)) versions.set(one.who, version);
      list.push(sample);
      say(`round ${round} of ${options.rounds}: ${name} ${sample.median.toPrecision(3)} ms`);
    }
  }
} finally {
  rmSync(models, { recursive: true });
}

const measured = [...samples].map(([one, list]) => ({ ...one, samples: list }));
if (measured.length === 0) program.error('error: nothing was measured');
const machine = {
  date: new Date().toISOString().slice(0, 10),
  cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
  cores: os.availableParallelism(),
  memoryBytes: os.totalmem(),
  system: `${os.platform()} ${os.release()} ${os.arch()}`,
  /** Means over the minute before the first process. */
  loadBefore,
  processes: options.rounds,
  versions: Object.fromEntries(versions),
};
const conditions =
  `${machine.date}, ${machine.cpu}, ${machine.cores} cores, ${threads} of them used; ` +
  `${options.rounds} processes per number; load average before ${loadBefore.toFixed(1)}.`;
const software = [...versions].map(([one, version]) => `${one}: ${version}`).join('; ');
const tables = [timeTable(measured), summaryTable(measured)].filter(({ rows }) => rows.length > 0);
const print = options.markdown ? markdownTable : terminalTable;
console.log([conditions, software, ...tables.map(print)].join('\n\n'));

if (options.json !== undefined) {
  const results = measured.map((row) => {
    const { network, level } = row;
    return { network, level, batch: row.batch, threads: row.threads, who: row.who, ms: times(row).median };
  });
  writeFileSync(options.json, `${JSON.stringify({ machine, results }, null, 2)}\n`);
}
