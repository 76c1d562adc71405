import Table from 'cli-table3';
import { unreachable } from '../core/assert.ts';
import { visible } from '../core/source-line.ts';
import { counted } from '../core/words.ts';
import type { ModelMetadata } from '../models/metadata.ts';
import { kib } from '../targets/file.ts';
import type { InspectedTensor, Inspection, TfliteInspection } from './inspect.ts';

const defaultColumns = 80;
const fewestColumns = 40;

/**
 * An inspection for people: what goes in and out, then a table of what is inside.
 *
 * @param columns of the terminal; longer lines are wrapped, and long names in the table lose their middle
 * @param target whose every objection is shown; the others are summed up
 */
export function inspectionText(inspection: Inspection, columns = defaultColumns, target: string | null = null): string {
  const width = Math.max(columns, fewestColumns);
  return inspectionLines(inspection, width, target)
    .flatMap((line) => (line.includes('\n') ? line : wrap(line, width)))
    .join('\n');
}

function inspectionLines(inspection: Inspection, columns: number, target: string | null): readonly string[] {
  const size = `${inspection.file}: ${inspection.bytes.toLocaleString('en-US')} bytes`;
  switch (inspection.kind) {
    case 'tflite': {
      const unknown = [...new Set(inspection.operators.filter(({ known }) => !known).map(({ op }) => op))];
      return [
        `${size}, TensorFlow Lite${inspection.description === '' ? '' : ` (${inspection.description})`}`,
        ...inspection.inputs.map((input) => `input   ${describe(input)}`),
        ...inspection.outputs.map((output) => `output  ${describe(output)}`),
        `${counted(inspection.tensors.length, 'tensor')}, signatures: ${listOf(inspection.signatures)}, metadata: ${listOf(inspection.metadata)}`,
        ...(inspection.about === null ? [] : aboutLines(inspection.about)),
        ...targetLines(inspection, target),
        ...(unknown.length === 0 ? [] : [`not in qpipe's op table: ${unknown.join(', ')}`]),
        table(
          ['#', 'operator', 'v', 'output', 'shape', 'scale', 'zero'],
          inspection.operators.map(({ op, version, output }, index) => [
            String(index),
            op,
            String(version),
            output?.name ?? '',
            shapeText(output?.shape ?? []),
            output === null ? '' : scaleText(output, digitsInTable),
            output?.zeroPoints.slice(0, 1).join() ?? '',
          ]),
          columns,
        ),
      ];
    }
    case 'graph_def':
      return [
        `${size}, TensorFlow GraphDef, ${counted(inspection.nodes.length, 'node')}`,
        `input   ${listOf(inspection.inputs)}`,
        `output  ${listOf(inspection.outputs)}`,
        table(
          ['op', 'count'],
          Object.entries(inspection.ops).map(([op, count]) => [op, String(count)]),
          columns,
        ),
      ];
    case 'safetensors':
      return [
        `${size}, safetensors, ${inspection.elements.toLocaleString('en-US')} elements`,
        ...Object.keys(inspection.metadata).map((key) => `metadata  ${key}`),
        table(
          ['tensor', 'dtype', 'shape'],
          inspection.tensors.map(({ name, dtype, shape }) => [name, dtype, shapeText(shape)]),
          columns,
        ),
      ];
    default:
      return unreachable(inspection);
  }
}

/** What the file takes on a device, and which targets take it. */
function targetLines({ memory, targets }: TfliteInspection, asked: string | null): readonly string[] {
  if (memory === null) return [];
  const { arena, macs } = memory;
  return [
    `memory  ${kib(arena)} of tensor arena (TensorFlow Lite Micro), ${macs.toLocaleString('en-US')} multiplications`,
    ...targets.flatMap(({ name, title, refuses, leaves }) => [
      `target  ${name} (${title}): ${verdictText(refuses.length, leaves.length)}`,
      ...(name === asked ? [...refuses, ...leaves].map((text) => `        ${text}`) : []),
    ]),
  ];
}

function verdictText(refused: number, left: number): string {
  if (refused > 0) return `does not take ${counted(refused, 'op')}`;
  return left > 0 ? `takes all but ${counted(left, 'op')}, which the processor runs` : 'takes the whole model';
}

/** Names and numbers that are shown; the JSON form has all. */
const mostShown = 32;

function aboutLines({ input, decoding, outputs }: ModelMetadata): string[] {
  const shown = (parts: readonly string[]): string =>
    [...parts.slice(0, mostShown), ...(parts.length > mostShown ? [`and ${parts.length - mostShown} more`] : [])].join(
      ', ',
    );
  const measured = ({ name, mean, deviation }: { name: string; mean: number; deviation: number }): string =>
    `${visible(name)} ${round(mean)} ± ${round(deviation)}`;
  return [
    input.kind === 'pixels'
      ? input.channels === undefined
        ? `takes   pixels: ${round(input.scale)} * (pixel - ${input.mean})`
        : `takes   pixels; the model itself computes (pixel - mean) / deviation of ${shown(input.channels.map(measured))}`
      : `takes   (measured - mean) / deviation of ${shown(input.channels.map(measured))}`,
    ...(decoding === undefined ? [] : [`made by ${JSON.stringify(decoding)}`]),
    ...outputs.flatMap(({ task, classes, targets }) => [
      `task    ${task}`,
      ...(classes === undefined ? [] : [`classes ${shown(classes.map((name, index) => `${index} ${visible(name)}`))}`]),
      ...(targets === undefined ? [] : [`targets mean + deviation * output of ${shown(targets.map(measured))}`]),
    ]),
  ];
}

const round = (value: number): string => String(Number(value.toPrecision(digits)));

function describe(tensor: InspectedTensor): string {
  const zeroPoint = tensor.zeroPoints[0];
  const parameters = tensor.scales.length === 0 ? '' : `, scale ${scaleText(tensor)}, zero point ${zeroPoint ?? 0}`;
  const open = tensor.shapeSignature?.includes(-1) === true ? `, open axes ${shapeText(tensor.shapeSignature)}` : '';
  return `${tensor.name}: ${tensor.dtype} ${shapeText(tensor.shape)}${open}${parameters}`;
}

function shapeText(shape: readonly number[]): string {
  return `[${shape.map((size) => (size === -1 ? '?' : size)).join(', ')}]`;
}

const digits = 7;
const digitsInTable = 5;

function scaleText({ scales }: InspectedTensor, precision = digits): string {
  if (scales.length > 1) return `${scales.length} scales`;
  return scales[0] === undefined ? '' : String(Number(scales[0].toPrecision(precision)));
}

function listOf(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

function table(head: string[], rows: string[][], columns: number): string {
  const grid = new Table({ head, style: { head: [], border: [], compact: true } });
  const widths = fittingWidths([head, ...rows], columns);
  for (const row of rows) grid.push(row.map((cell, column) => shorten(cell, widths[column] ?? cell.length)));
  return grid.toString();
}

const smallestCell = 8;

/** Names give way first, then the widest columns, down to a few characters each. */
function fittingWidths(rows: readonly string[][], columns: number): readonly number[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((most, row) => Math.max(most, (row[column] ?? '').length), 0),
  );
  // Each cell has a border and two spaces, and the last border closes the row.
  const room = columns - 3 * widths.length - 1;
  const names = (rows[0] ?? []).findIndex((title) => title === 'output' || title === 'tensor');
  for (let excess = widths.reduce((sum, width) => sum + width, 0) - room; excess > 0; excess--) {
    const widest = (widths[names] ?? 0) > smallestCell ? names : widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= smallestCell) return widths;
    widths[widest]!--;
  }
  return widths;
}

/** Without its middle: the ends of names tell most. */
function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  const front = Math.floor((width - 1) / 2);
  return `${text.slice(0, front)}…${text.slice(text.length - (width - 1 - front))}`;
}

/** At spaces, and within a word that is longer than a line; what follows is indented. */
function wrap(line: string, columns: number): readonly string[] {
  if (line.length <= columns) return [line];
  const space = line.lastIndexOf(' ', columns);
  const at = space > indentation.length ? space : columns;
  return [line.slice(0, at), ...wrap(`${indentation}${line.slice(at).trimStart()}`, columns)];
}

const indentation = ' '.repeat(8);
