/** What is allowed but seldom meant. */
import type { Diagnostic } from '../../core/diagnostic.ts';
import type { ResolvedPipeline } from '../resolve.ts';
import type { Locate } from '../source.ts';
import { edgeWarnings } from './targets.ts';

/** What is allowed but seldom meant. */
export function warnings(pipeline: ResolvedPipeline, locate: Locate): Diagnostic[] {
  return [
    ...coldRanges(pipeline, locate),
    ...unusedRangeFields(pipeline, locate),
    ...unusualOptimizers(pipeline, locate),
    ...pipeline.stages.flatMap(({ name, config }) => edgeWarnings(pipeline.target, name, config, locate)),
  ];
}

/** Beyond these, published trainings do not go; weights are destroyed within a few steps. */
const usual = {
  learning_rate: { sgd: 10, adam: 0.1 },
  weight_decay: { sgd: 0.5, adam: 0.5 },
} as const;

function unusualOptimizers(pipeline: ResolvedPipeline, locate: Locate): Diagnostic[] {
  return pipeline.stages.flatMap(({ name, config }): Diagnostic[] => {
    if (!('optimizer' in config)) return [];
    const { optimizer } = config;
    return (['learning_rate', 'weight_decay'] as const).flatMap((field): Diagnostic[] => {
      const limit = usual[field][optimizer.kind];
      if (optimizer[field] <= limit) return [];
      return [
        {
          code: 'unusual-value',
          place: locate(['stages', name, 'optimizer', field], 'value'),
          message: `\`stages.${name}.optimizer.${field}\` is ${optimizer[field]}; with ${optimizer.kind}, values above ${limit} destroy the weights`,
          hint: `a ${field} of at most ${limit}`,
        },
      ];
    });
  });
}

function coldRanges(pipeline: ResolvedPipeline, locate: Locate): Diagnostic[] {
  return pipeline.stages.flatMap(({ name, config }): Diagnostic[] => {
    if (config.uses !== 'qat' || config.ranges !== 'moving_average' || config.ema_decay === undefined) return [];
    const fromScratch = config.from === undefined;
    // After five time constants, the initial value has less than 1 % weight in an average; random weights need that.
    const warmUp = Math.round((fromScratch ? 5 : 1) / (1 - config.ema_decay));
    if (config.delay >= warmUp || (!fromScratch && config.delay === 0)) return [];
    return [
      {
        code: 'short-delay',
        place: locate(['stages', name, 'delay'], 'value'),
        message:
          `\`stages.${name}\` ${fromScratch ? 'trains from scratch and quantizes' : 'quantizes'} from step ` +
          `${config.delay} on, but with ema_decay ${config.ema_decay} the ranges need about ${warmUp} steps to become stable`,
        hint: `a delay of ${warmUp}, a smaller ema_decay${fromScratch ? ', or `from:` a float model' : ''}`,
      },
    ];
  });
}

/** Each way to find ranges has a field of its own, and reads no other. */
const rangeFields = {
  qat: { ema_decay: 'moving_average', range_window: 'running_extremes' },
  ptq: { percentile: 'percentile' },
} as const;

function unusedRangeFields(pipeline: ResolvedPipeline, locate: Locate): Diagnostic[] {
  return pipeline.stages.flatMap(({ name, config }): Diagnostic[] => {
    if (config.uses !== 'qat' && config.uses !== 'ptq') return [];
    return Object.entries(rangeFields[config.uses]).flatMap(([field, owner]): Diagnostic[] => {
      // What is filled in is for the stage's own way.
      if (!(field in config) || config.ranges === owner) return [];
      return [
        {
          code: 'unused-field',
          place: locate(['stages', name, field], 'key'),
          message: `\`stages.${name}.${field}\` has no effect: it is only for \`ranges: ${owner}\`, and this stage uses \`ranges: ${config.ranges}\``,
          hint: `remove \`${field}\`, or add \`ranges: ${owner}\``,
        },
      ];
    });
  });
}
