/** What the folder holds and how it is used. */
import type { Graph } from '../graph/graph.ts';
import { checkTarget } from '../targets/check.ts';
import { reasonText } from '../targets/file.ts';
import { targets } from '../targets/index.ts';
import { labelsOf } from './answers.ts';
import { arenaOf } from './arena.ts';
import { namespaceOf } from './cpp.ts';
import type { Exported } from './exported.ts';
import { soundFeatures } from './features.ts';
import { markdownText } from './literals.ts';
import type { ExportedPort } from './model.ts';

export function readme(model: Exported): string {
  const { name, bytes, sha256, operators, vectors, graph, metadata } = model;
  const { activations, persistent, total } = arenaOf(graph);
  return `# ${markdownText(name)}

${bytes.length} bytes of model, SHA-256 \`${sha256}\`. All C++ names are in the namespace \`${namespaceOf(model)}\`.

| file | holds |
|---|---|
| \`model.tflite\` | the model${metadata ? ', with its normalization and labels for the task library of Android' : ''} |
| \`model_data.h\`, \`model_data.cc\` | the model as an array for flash, without what is only for phones |
| \`model_settings.h\` | shapes, scales, labels, thresholds, settings of features, size of the arena |
| \`model_io.h\` | from what is measured to the input, from the output to an answer |
| \`op_resolver.h\` | the ${operators.length} operators that TensorFlow Lite Micro has to link |
| \`test_vectors.h\`, \`test_vectors.cc\`, \`test_vectors.json\` | ${vectors.vectors.length} test examples with the outputs of the model |
| \`main.cc\` | a program that runs them |
| \`qpipe_invoke.h\`, \`tflm_invoke.cc\` | what it needs of a runtime, and that on TensorFlow Lite Micro |
| \`web/\` | a module for browsers that runs the model on \`@litertjs/core\`, and the same check |

## The model

${portText('Input', model.input)}
${portText('Output', model.output)}
- Task: \`${model.purpose.task}\`${answersText(model)}
${decisionText(model)}${preparationText(model)}
## On a device

Add the folder to a project that has TensorFlow Lite Micro, define \`QPIPE_USE_TFLM\`, and run \`main.cc\` once: it prints
PASS when the device gives the expected output of every test vector, value for value. Optimized kernels that round as the
reference kernels do pass too. With \`QPIPE_KEEP_TENSORS\` every tensor is kept, and the program names the first layer that
differs; that takes more memory. Afterwards leave out \`main.cc\` and the test vectors.

The arena is ${total} bytes: ${activations} of activations, planned as TensorFlow Lite Micro plans them for its reference
kernels, and at most ${persistent} of the runtime's own. Print \`arena_used_bytes()\` on your device and set less; kernels of a
chip's vendor may ask for more.
${refusals(graph)}
On another runtime, or on a PC, write the three functions of \`qpipe_invoke.h\` and compile with any compiler of C++17:

    c++ -std=c++17 main.cc model_data.cc test_vectors.cc my_invoke.cc

## In a browser

LiteRT computes on XNNPACK, which rounds in float32 where a microcontroller rounds integers: outputs may differ by a step
or more. The test vectors hold both${vectors.litertNote === null ? `; of these ${countOther(model)}` : ` where LiteRT ran; it did not run here (${markdownText(vectors.litertNote)})`}.

    import * as litert from '@litertjs/core';
    import { answer, open } from './web/model.js';
    import { check } from './web/check.js';

    await litert.loadLiteRt('/path/to/@litertjs/core/wasm/');
    const vectors = await (await fetch('test_vectors.json')).json();
    console.log(await check(litert, vectors));
    const model = await open(litert);
    console.log(answer(await model.run(vectors.vectors[0].input), vectors.vectors[0].input));
`;
}

/** What keeps the model from running on TensorFlow Lite Micro. */
function refusals(graph: Graph): string {
  const findings = checkTarget(targets.tflm, graph, true);
  if (findings.length === 0) return '';
  const lines = findings.map((finding) => {
    const { node } = finding;
    return `- ${markdownText(`${node.op} "${node.name}" ${reasonText(targets.tflm, finding)}`)}\n`;
  });
  return `\nTensorFlow Lite Micro does not run this model as it was tested:\n\n${lines.join('')}`;
}

function portText(role: string, { name, dtype, shape, quant }: ExportedPort): string {
  const scale = quant === null ? '' : `; real = ${quant.scale} × (code − ${quant.zeroPoint})`;
  return `- ${role}: ${markdownText(name)}, \`${dtype}\` [${shape.join(', ')}]${scale}`;
}

function answersText(model: Exported): string {
  const labels = labelsOf(model);
  if (labels.length === 0) return '';
  const shown = labels.slice(0, 20).map(markdownText).join(', ');
  return `: ${shown}${labels.length > 20 ? `, and ${labels.length - 20} more` : ''}`;
}

function decisionText({ decision }: Exported): string {
  if (decision === null) return '';
  const { code, real, source } = decision;
  return `- Threshold: ${real}${code === null ? '' : ` (code ${code})`}, ${source}\n`;
}

/** What comes before the model, in words. */
function preparationText({ purpose }: Exported): string {
  const { normalize, pixels, decoding } = purpose;
  const features = soundFeatures(purpose);
  const pixel =
    'scale' in normalize
      ? `- A pixel 0 .. 255 stands for ${normalize.scale} × (pixel − ${normalize.mean})${pixels === undefined ? '' : '; the model normalizes the channels itself'}\n`
      : '- A measured value goes through `EncodeMeasured` with the index of its channel\n';
  const sound =
    features === null
      ? ''
      : `- Sound: ${features.seconds} s at ${features.rate} Hz as ${features.kind}; the settings are in \`model_settings.h\`\n`;
  const made =
    decoding === undefined ? '' : `- Examples were made by \`${JSON.stringify(decoding).replaceAll('`', "'")}\`\n`;
  return `${pixel}${sound}${made}`;
}

function countOther({ vectors: { vectors } }: Exported): string {
  const all = vectors.reduce((sum, { output }) => sum + output.length, 0);
  const other = vectors.reduce(
    (sum, { output, litert }) => sum + Array.from(output).filter((value, at) => value !== litert?.[at]).length,
    0,
  );
  return `${other} of ${all} values differ`;
}
