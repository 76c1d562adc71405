/** `qpipe inspect --html`: a model's page. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { userError } from '../core/diagnostic.ts';
import { readBytes } from '../formats/bytes.ts';
import { histogramOf } from '../report/model/histogram.ts';
import type { ModelFile, ModelSubgraph } from '../report/model/model-file.ts';
import { renderModel } from '../report/model/page.ts';
import type { TfliteFile, TfliteSubgraph } from '../tflite/file.ts';
import { readTfliteContents } from '../tflite/read.ts';
import { storedValues } from '../tflite/values.ts';
import { inspect, inspectOp, inspectTensor } from './inspect.ts';

/**
 * A page that shows what is in a .tflite file, by any converter: the graph, quantization, weights, what devices take it.
 *
 * @throws UserError when the file is damaged or no .tflite file
 */
export const inspectPage = (file: string): string => renderModel(inspectedModel(file));

/** The same as data. @throws UserError as `inspectPage` */
export function inspectedModel(file: string): ModelFile {
  const inspection = inspect(file);
  if (inspection.kind !== 'tflite') {
    throw userError(file, 'no-page', '`--html` shows .tflite files', 'leave out `--html`', 64);
  }
  const bytes = readBytes(file, 'give the path of a .tflite file');
  const contents = readTfliteContents(bytes, file);
  const { about, memory, targets, description } = inspection;
  return {
    ...{ name: basename(file), bytes: bytes.length, description, memory, targets },
    sha256: createHash('sha256').update(bytes).digest('hex'),
    subgraphs: contents.subgraphs.map((subgraph) => subgraphOf(contents, subgraph)),
    signatures: contents.signatures.map(({ key, subgraph, inputs, outputs }) => {
      const tensors = contents.subgraphs[subgraph]?.tensors ?? [];
      const named = (maps: typeof inputs) =>
        maps.map(({ name, tensor }) => ({ name, tensor: tensors[tensor]?.name ?? '' }));
      return { key, inputs: named(inputs), outputs: named(outputs) };
    }),
    metadata: contents.metadata.map(({ name, buffer }) => ({ name, bytes: contents.buffers[buffer]?.length ?? 0 })),
    about: about === null ? null : JSON.stringify(about, null, 2),
  };
}

function subgraphOf(
  contents: TfliteFile,
  { name, tensors, inputs, outputs, operators }: TfliteSubgraph,
): ModelSubgraph {
  return {
    ...{ name, inputs, outputs },
    tensors: tensors.map((entry) => {
      const { shapeSignature: _signature, ...tensor } = inspectTensor(contents, entry);
      const buffer = contents.buffers[entry.buffer];
      const values = buffer === undefined || buffer.length === 0 ? null : storedValues(entry, buffer);
      return { ...tensor, histogram: values === null ? null : histogramOf(values, tensor.dtype) };
    }),
    operators: operators.map(({ opcodeIndex, options, inputs: reads, outputs: writes }) => {
      return {
        ...inspectOp(contents, opcodeIndex),
        options: Object.entries(options)
          .map(([key, value]) => `${key}: ${String(value)}`)
          .join(', '),
        inputs: reads,
        outputs: writes,
      };
    }),
  };
}
