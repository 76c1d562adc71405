import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { detectFormat } from '../../src/formats/detect.ts';
import { npyInt8, safetensors } from './fixtures.ts';

/** The first bytes of files that TensorFlow 2.15, NumPy, Python's wave module and GNU tar wrote, in base64. */
const written: readonly (readonly [file: string, kind: string, base64: string])[] = [
  ['m.h5', 'hdf5', 'iUhERg0KGgoAAAAAAAgIAA=='],
  ['m.keras', 'keras', 'UEsDBBQAAAAAAAAAIQAfI0I8QAAAAEAAAAANAAAAbWV0YWRhdGEuanNvbnsia2VyYXNfdmVyc2lvbiI6ICIyLg=='],
  ['sm/saved_model.pb', 'saved_model', 'CAESodgBCu8NEsINCl4KEEFzc2lnblZhcmlhYmxlT3A='],
  ['a.npz', 'npz', 'UEsDBC0AAAAAAAAAIQBumbIo//////////8FABQAeC5ucHkBABAAkAAAAAAAAACQAAAAAAAAAJNOVU1QWQEAdg=='],
  ['b.npz', 'npz', 'UEsDBC0AAAAIAAAAIQBumbIo//////////8FABQAeC5ucHkBABAAkAAAAAAAAABHAAAAAAAAAJvsF+obEMnIUA=='],
  [
    'g.pb',
    'graph_def',
    'Ck8KAXgSC1BsYWNlaG9sZGVyKgsKBWR0eXBlEgIwASoTCgVzaGFwZRIKOggSAggBEgIIAyobChRfdXNlcl9zcGVjaWZpZWRfbmFtZRIDEgF4CjIKBW11bC95EgVDb25zdCoLCgVkdHlwZRICMAEqFQoFdmFsdWUSDEIKCAESACoEAAAAQAodCgNtdWwSA011bBoBeBoFbXVsL3kqBwoBVBICMAEKIgoISWRlbnRpdHkSCElkZW50aXR5GgNtdWwqBwoBVBICMAEiAwjtDA==',
  ],
  ['a.wav', 'wav', 'UklGRjgAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YRQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=='],
  ['a.png', 'png', 'iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVQImWNgYGBgYAAAAAYAAYXCmbwAAAAASUVORK5CYII='],
  ['a.jpg', 'jpeg', '/9j/4AAQSkZJRgABAQEBLAEsAAD/2wBDAAIBAQEBAQI='],
  ['a.tgz', 'gzip', 'H4sICF3aCWsC/2EudGd6AA=='],
  [
    'a.npy',
    'npy',
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDMsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  ],
  [
    'a.tar',
    'tar',
    'Z2VuLnB5AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADAwMDA2NDQAMDAwMDAwMAAwMDAwMDAwADAwMDAwMDAxNTYxADE1MzAyMzU1MTE2ADAxMDcwMwAgMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB1c3RhciAgAHJvb3QAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAcm9v',
  ],
];

describe('the format of a file', () => {
  it.each(written)('%s is %s', (_file, kind, base64) => {
    expect(detectFormat(Buffer.from(base64, 'base64')).kind).toBe(kind);
  });

  it.each<[string, Uint8Array | string, string]>([
    ['safetensors of its Python library', safetensors, 'safetensors'],
    ['an array of numpy.save', npyInt8, 'npy'],
    ['images in IDX', Buffer.from('00000803000027100000001c0000001c', 'hex'), 'idx'],
    ['ONNX by PyTorch', Buffer.from('0807120770797463' + '6f7263681a05322e312e30', 'hex'), 'onnx'],
    ['ONNX without a producer', Buffer.from('08083a0c0a0a0a017812017922', 'hex'), 'onnx'],
    ['an empty ZIP', Buffer.from('504b0506' + '00'.repeat(18), 'hex'), 'zip'],
    ['a pipeline', 'version: 1\nstages:\n  - { name: float, kind: float-pretrain }\n', 'text'],
    ['an object', '{\n  "a": 1\n}\n', 'json'],
    ['a list', '[1, 2]', 'json'],
    ['a table', 'x,y,label\n1,2,0\n3,4,1\n', 'csv'],
    ['text of commas in a sentence', 'one, two\nthree\n', 'text'],
    ['umlauts cut in two', 'ä'.repeat(4096), 'text'],
    ['no bytes', '', 'empty'],
    ['noise', Uint8Array.of(0xf0, 0x12, 0x99, 0x00, 0xfe), 'unknown'],
  ])('%s', (_what, content, kind) => {
    expect(detectFormat(Buffer.from(content as string)).kind).toBe(kind);
  });

  const models = join(process.env['QPIPE_DATA'] ?? '../shared/data', '../models');
  it.skipIf(!existsSync(models))('models made by others (skipped without the shared models)', () => {
    const kindOf = (file: string) => detectFormat(readFileSync(join(models, file))).kind;
    expect(['person_detect.tflite', 'pretrainedResnet.h5', 'person.bmp'].map(kindOf)).toEqual([
      'tflite',
      'hdf5',
      'bmp',
    ]);
  });

  it('depends on the first 4096 bytes alone, and never throws', () => {
    for (const [, kind, base64] of written) {
      const bytes = Buffer.from(base64, 'base64');
      for (let length = 0; length < bytes.length; length++) detectFormat(bytes.subarray(0, length));
      expect(detectFormat(Buffer.concat([bytes, Buffer.alloc(10_000, 0xff)])).kind).toBe(kind);
    }
  });
});
