/**
 * The file with what Android's task library reads: the flatbuffer TFLITE_METADATA, and label files in a ZIP archive
 * behind the model.
 *
 * @see tensorflow/tflite-support 0.4.4, tensorflow_lite_support/metadata/metadata_schema.fbs
 */
import { Builder, writeFloat32s, writeOffsets, writeTable } from '../formats/flatbuffer/write.ts';
import type { Offset } from '../formats/flatbuffer/write.ts';
import { writeZip } from '../formats/zip-write.ts';
import { readTfliteContents } from '../tflite/read.ts';
import { optionFields } from '../tflite/option-fields.ts';
import { writeTfliteFile } from '../tflite/write-file.ts';
import { labelsOf } from './answers.ts';
import type { Exported } from './exported.ts';
import type { ExportedModel } from './model.ts';

const identifier = 'M001';
const entryName = 'TFLITE_METADATA';
const labelFile = 'labels.txt';
/** The parser version that has all tables that are written here. */
const minParserVersion = '1.0.0';

/** `model.tflite`: as it was converted, or with metadata; buffers and operators stay the same. */
export function modelFile(model: Exported): Uint8Array {
  if (!model.metadata) return model.bytes;
  const file = readTfliteContents(model.bytes, 'model.tflite');
  const withMetadata = writeTfliteFile(
    {
      ...file,
      buffers: [...file.buffers, metadataBuffer(model)],
      metadata: [...file.metadata, { name: entryName, buffer: file.buffers.length }],
    },
    optionFields,
  );
  const labels = outputLabels(model);
  if (labels === null) return withMetadata;
  const lines = labels.map((label) => `${label.replaceAll(/[\r\n]+/g, ' ')}\n`).join('');
  const bytes = new TextEncoder().encode(lines);
  return Buffer.concat([withMetadata, writeZip([{ name: labelFile, bytes }], withMetadata.length)]);
}

/** One for each value along the output's last axis; null for tasks without, or where the library would count others. */
function outputLabels(model: ExportedModel): readonly string[] | null {
  const { task } = model.purpose;
  if (task === 'reconstruct' || task === 'regress') return null;
  const labels = labelsOf(model);
  // A single output is the score of the second class.
  return task === 'binary' ? labels.slice(1) : labels;
}

export function metadataBuffer(model: ExportedModel): Uint8Array {
  const builder = new Builder(512);
  const input = inputMetadata(builder, model);
  const output = outputMetadata(builder, model);
  const subgraph = writeTable(builder, 10, [
    [2, writeOffsets(builder, [input])],
    [3, writeOffsets(builder, [output])],
  ]);
  const root = writeTable(builder, 8, [
    [0, builder.createString(model.name)],
    [3, writeOffsets(builder, [subgraph])],
    [7, builder.createString(minParserVersion)],
  ]);
  builder.finish(root, identifier);
  return builder.asUint8Array().slice();
}

/** Fields of TensorMetadata: name 0, description 1, content 3, process_units 4, stats 5, associated_files 6. */
const tensorFields = 7;

function inputMetadata(builder: Builder, model: ExportedModel): Offset {
  const { purpose, input } = model;
  const { normalize, channels = [], image } = purpose;
  const isImage = 'scale' in normalize;
  const means = isImage ? [normalize.mean] : channels.map(({ mean }) => mean);
  const deviations = isImage ? [1 / normalize.scale] : channels.map(({ deviation }) => deviation);
  const range = isImage
    ? { min: normalize.scale * (0 - normalize.mean), max: normalize.scale * (255 - normalize.mean) }
    : normalize;
  const normalization = writeTable(builder, 2, [
    [0, writeFloat32s(builder, means)],
    [1, writeFloat32s(builder, deviations)],
  ]);
  return writeTable(builder, tensorFields, [
    [0, builder.createString(input.name)],
    [1, builder.createString(`normalized = (${isImage ? 'pixel' : 'measured'} - mean) / std`)],
    [3, isImage ? imageContent(builder, image[2]) : featureContent(builder)],
    [4, writeOffsets(builder, [processUnit(builder, processUnits.normalization, normalization)])],
    [5, stats(builder, range)],
  ]);
}

function outputMetadata(builder: Builder, model: ExportedModel): Offset {
  const { output, decision, areProbabilities } = model;
  const threshold =
    decision === null
      ? null
      : writeTable(builder, 1, [], () => builder.addFieldFloat32(0, Math.fround(decision.real), 0));
  return writeTable(builder, tensorFields, [
    [0, builder.createString(output.name)],
    [3, featureContent(builder)],
    [4, threshold && writeOffsets(builder, [processUnit(builder, processUnits.threshold, threshold)])],
    [5, areProbabilities ? stats(builder, { min: 0, max: 1 }) : null],
    [6, outputLabels(model) === null ? null : writeOffsets(builder, [labelReference(builder)])],
  ]);
}

/** Tags of the unions ProcessUnitOptions and ContentProperties, and of AssociatedFileType and ColorSpaceType. */
const processUnits = { normalization: 1, threshold: 3 } as const;
const contents = { feature: 1, image: 2 } as const;
const tensorAxisLabels = 2;
const colorSpaces: Readonly<Record<number, number>> = { 1: 2, 3: 1 };

function labelReference(builder: Builder): Offset {
  const name = builder.createString(labelFile);
  return writeTable(builder, 5, [[0, name]], () => builder.addFieldInt8(2, tensorAxisLabels, 0));
}

function processUnit(builder: Builder, tag: number, options: Offset): Offset {
  return writeTable(builder, 2, [[1, options]], () => builder.addFieldInt8(0, tag, 0));
}

function imageContent(builder: Builder, channels: number): Offset {
  const properties = writeTable(builder, 2, [], () => builder.addFieldInt8(0, colorSpaces[channels] ?? 0, 0));
  return writeTable(builder, 3, [[1, properties]], () => builder.addFieldInt8(0, contents.image, 0));
}

function featureContent(builder: Builder): Offset {
  const properties = writeTable(builder, 0, []);
  return writeTable(builder, 3, [[1, properties]], () => builder.addFieldInt8(0, contents.feature, 0));
}

function stats(builder: Builder, { min, max }: { readonly min: number; readonly max: number }): Offset {
  return writeTable(builder, 2, [
    [0, writeFloat32s(builder, [max])],
    [1, writeFloat32s(builder, [min])],
  ]);
}
