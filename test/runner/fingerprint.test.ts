import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { stageKey } from '../../src/runner/fingerprint.ts';
import type { StagePlan } from '../../src/runner/plan.ts';

const digestOf = (byte: string): Digest => `sha256:${byte.repeat(32)}`;

const stage: StagePlan = {
  name: 'fine-tune',
  kind: 'qat',
  implementation: { id: 'builtin:qat', revision: 3, code: digestOf('c0') },
  // RFC 8785, 3.2.2: numbers, strings and literals.
  config: {
    numbers: [333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: '\u20ac$\u000f\nA\u0027B"\\\\"/',
    literals: [null, true, false],
  },
  inputs: {
    model: { kind: 'output', stage: 'pretrain', output: 'model', type: 'FloatModel/1' },
    data: { kind: 'external', type: 'Dataset/1', digest: digestOf('b2') },
  },
  seeds: { shuffle: 2, init: 1 },
  // RFC 8785, 3.2.3: names sort by their UTF-16 code units.
  environment: {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    '1': 'One',
    '\u{1f600}': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    '\u00f6': 'Latin Small Letter O With Diaeresis',
  },
  replicas: 2,
  outputs: {},
  job: {},
  needs: { threads: 1 },
};
const digests = { model: digestOf('a1'), data: digestOf('b2') };

// The expected values of the RFC, put together by hand.
const PREIMAGE =
  '{"config":{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
  '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"},' +
  '"env":{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",' +
  '"\u20ac":"Euro Sign","\u{1f600}":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"},' +
  `"impl":{"code":"sha256:${'c0'.repeat(32)}","id":"builtin:qat","rev":3},` +
  `"inputs":{"data":{"digest":"sha256:${'b2'.repeat(32)}","type":"Dataset/1"},` +
  `"model":{"digest":"sha256:${'a1'.repeat(32)}","type":"FloatModel/1"}},` +
  '"kind":"qat","replicas":2,"seeds":{"init":1,"shuffle":2}}';
// Python 3.11: hashlib.sha256(b"qpipe-key-v1\n" + PREIMAGE.encode("utf-8")).hexdigest()
const KEY = 'ab0f90f840f4b542fccf238930cf08fa3daed4004dbcb13c30b6d8102dd3e10e';

describe('stageKey', () => {
  it('is the sha256 of a version line and the canonical JSON of the fingerprint', () => {
    expect(stageKey(stage, digests)).toEqual({ key: KEY, preimage: PREIMAGE });
  });

  it('leaves out the name of the stage and of its producer', () => {
    const renamed: StagePlan = {
      ...stage,
      name: 'other',
      inputs: { ...stage.inputs, model: { kind: 'output', stage: 'float', output: 'best', type: 'FloatModel/1' } },
    };
    expect(stageKey(renamed, digests).key).toBe(KEY);
  });

  it.each<[string, StagePlan]>([
    ['kind', { ...stage, kind: 'pretrain' }],
    ['implementation id', { ...stage, implementation: { ...stage.implementation, id: 'builtin:qat2' } }],
    ['revision', { ...stage, implementation: { ...stage.implementation, revision: 4 } }],
    ['code', { ...stage, implementation: { ...stage.implementation, code: digestOf('c1') } }],
    ['config', { ...stage, config: { ...stage.config, bits: 8 } }],
    ['seeds', { ...stage, seeds: { init: 2, shuffle: 2 } }],
    ['environment', { ...stage, environment: {} }],
    ['replicas', { ...stage, replicas: 3 }],
    [
      'type of an input',
      { ...stage, inputs: { ...stage.inputs, data: { ...stage.inputs['data']!, type: 'Dataset/2' } } },
    ],
  ])('changes with the %s', (_field, changed) => {
    expect(stageKey(changed, digests).key).not.toBe(KEY);
  });

  it('changes with the content of an input', () => {
    expect(stageKey(stage, { ...digests, model: digestOf('a2') }).key).not.toBe(KEY);
  });

  it('refuses a number that JSON cannot say', () => {
    expect(() => stageKey({ ...stage, config: { rate: Number.NaN } }, digests)).toThrow(/NaN/);
  });
});
