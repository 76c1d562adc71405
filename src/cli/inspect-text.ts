import Table from 'cli-table3';
import { unreachable } from '../core/assert.ts';
import type { InspectedTensor, Inspection } from './inspect.ts';

/** An inspection as text: inputs and outputs, then a table of the contents. */
export function inspectionText(inspection: Inspection): string {
  const size = `${inspection.file}: ${inspection.bytes.toLocaleString('en-US')} bytes`;
  switch (inspection.kind) {
    case 'tflite': {
      const unknown = [...new Set(inspection.operators.filter(({ known }) => !known).map(({ op }) => op))];
      return [
        `${size}, TensorFlow Lite${inspection.description === '' ? '' : ` (${inspection.description})`}`,
        ...inspection.inputs.map((input) => `input   ${describe(input)}`),
        ...inspection.outputs.map((output) => `output  ${describe(output)}`),
        `${inspection.tensors.length} tensors, signatures: ${listOf(inspection.signatures)}, metadata: ${listOf(inspection.metadata)}`,
        ...(unknown.length === 0 ? [] : [`not in qpipe's op table: ${unknown.join(', ')}`]),
        table(
          ['#', 'operator', 'v', 'output', 'shape', 'scale', 'zero point'],
          inspection.operators.map(({ op, version, output }, index) => [
            String(index),
            op,
            String(version),
            output?.name ?? '',
            shapeText(output?.shape ?? []),
            output === null ? '' : scaleText(output),
            output?.zeroPoints.slice(0, 1).join() ?? '',
          ]),
        ),
      ].join('\n');
    }
    case 'graph_def':
      return [
        `${size}, TensorFlow GraphDef, ${inspection.nodes.length} nodes`,
        `input   ${listOf(inspection.inputs)}`,
        `output  ${listOf(inspection.outputs)}`,
        table(
          ['op', 'count'],
          Object.entries(inspection.ops).map(([op, count]) => [op, String(count)]),
        ),
      ].join('\n');
    case 'safetensors':
      return [
        `${size}, safetensors, ${inspection.elements.toLocaleString('en-US')} elements`,
        ...Object.keys(inspection.metadata).map((key) => `metadata  ${key}`),
        table(
          ['tensor', 'dtype', 'shape'],
          inspection.tensors.map(({ name, dtype, shape }) => [name, dtype, shapeText(shape)]),
        ),
      ].join('\n');
    default:
      return unreachable(inspection);
  }
}

function describe(tensor: InspectedTensor): string {
  const zeroPoint = tensor.zeroPoints[0];
  const parameters = tensor.scales.length === 0 ? '' : `, scale ${scaleText(tensor)}, zero point ${zeroPoint ?? 0}`;
  return `${tensor.name}: ${tensor.dtype} ${shapeText(tensor.shape)}${parameters}`;
}

function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

function scaleText({ scales }: InspectedTensor): string {
  if (scales.length > 1) return `${scales.length} scales`;
  return scales[0] === undefined ? '' : String(Number(scales[0].toPrecision(7)));
}

function listOf(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

function table(head: string[], rows: string[][]): string {
  const grid = new Table({ head, style: { head: [], border: [], compact: true } });
  grid.push(...rows);
  return grid.toString();
}
