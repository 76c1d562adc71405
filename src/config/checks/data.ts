/** Settings of data that do not go together, or with the data. */
import type { Diagnostic } from '../../core/diagnostic.ts';
import { counted } from '../../core/words.ts';
import type { Augmentation } from '../../data/augment.ts';
import { dataSettings } from '../../data/config.ts';
import type { DataSize, ImageShape } from '../../data/dataset.ts';
import type { NormalizeConfig } from '../../data/normalize.ts';
import { isGrid, namedChannels } from '../../data/normalize.ts';
import { stages as definitions } from '../../stages/index.ts';
import { stepsPerEpoch } from '../../training/steps.ts';
import type { ResolvedPipeline } from '../resolve.ts';
import type { PipelineConfig } from '../schema.ts';
import type { Locate } from '../source.ts';

/**
 * What does not fit the data, known once they are loaded.
 *
 * @param size `trainingImages` before those for validation are taken out
 */
export function sizeDiagnostics(
  pipeline: ResolvedPipeline,
  locate: Locate,
  size: Size & Pick<DataSize, 'reals'> & { readonly image: ImageShape },
): Diagnostic[] {
  const { image, reals } = size;
  return [
    ...(reals === undefined
      ? [
          ...cropDiagnostics(pipeline, locate, image),
          ...channelDiagnostics(pipeline, locate, image),
          ...seriesDiagnostics(pipeline, locate),
        ]
      : pixelDiagnostics(pipeline, locate)),
    ...countDiagnostics(pipeline, locate, size),
    ...testDiagnostics(pipeline, locate, size),
  ];
}

/** A stage for test examples that would have none. */
function testDiagnostics({ stages }: ResolvedPipeline, locate: Locate, { testImages }: Size): Diagnostic[] {
  const kind = stages.map(({ config }) => config.uses).find((uses) => definitions[uses].uses.includes('test-data'));
  if (testImages !== 0 || kind === undefined) return [];
  return [
    {
      code: 'no-test-examples',
      place: locate(['data', 'split', 'test'], 'value'),
      message: `no example is for testing, and the pipeline has a stage that needs some (\`uses: ${kind}\`)`,
      hint: 'set `data.split.test` to a fraction such as 0.2, or add test examples',
    },
  ];
}

/** Answers of two kinds, of which a network can be asked for one. */
export function answerDiagnostics({ data }: PipelineConfig, locate: Locate): Diagnostic[] {
  if (!('columns' in data) || data.columns.labels === undefined || data.columns.targets === undefined) return [];
  return [
    {
      code: 'labels-and-targets',
      place: locate(['data', 'columns', 'targets'], 'key'),
      message: '`data.columns` has both `labels` and `targets`; a network gives one of them',
      hint: 'leave one out: `labels` are for `task: multi_label`, `targets` for `task: regress`',
    },
  ];
}

/** A group that is no regular expression, or has none that gives a text. */
export function groupDiagnostics({ data }: PipelineConfig, locate: Locate): Diagnostic[] {
  const group = 'split' in data && 'group' in data.split ? data.split.group : undefined;
  if (group === undefined) return [];
  const found = groupsIn(group);
  if (found > 0) return [];
  return [
    {
      code: 'bad-group',
      place: locate(['data', 'split', 'group'], 'value'),
      message: `\`data.split.group\` is ${JSON.stringify(group)}; expected a regular expression with a group in parentheses`,
      hint: "for example '_([a-z]+)_', for the name between two underscores",
    },
  ];
}

/** 0 for what is no regular expression. */
function groupsIn(pattern: string): number {
  try {
    // An alternative that always fits shows all groups.
    return (new RegExp(`${pattern}|`, 'u').exec('')?.length ?? 1) - 1;
  } catch {
    return 0;
  }
}

/** Words of `normalize` that contradict each other, or are in another unit. */
export function normalizeDiagnostics({ data }: PipelineConfig, locate: Locate): Diagnostic[] {
  const { normalize } = dataSettings(data);
  if (normalize === null || typeof normalize === 'string') return [];
  const wrong = (field: string, message: string, hint: string): Diagnostic[] => [
    { code: 'bad-normalize', place: locate(['data', 'normalize', field], 'key'), message, hint },
  ];
  if (isGrid(normalize)) {
    const { mean, scale } = normalize;
    if (Number.isInteger(mean)) return [];
    return wrong(
      'mean',
      `\`data.normalize.mean\` is ${JSON.stringify(mean)}; beside \`scale\` it is one whole number, the zero point of the input`,
      `write \`std: ${sixDigits(1 / scale)}\` in place of \`scale\`: real = (pixel - mean) / std`,
    );
  }
  const { mean, std, scale } = normalize;
  if (scale !== undefined) {
    return wrong('scale', '`data.normalize` has both `std` and `scale`; expected one of the two', 'remove `scale`');
  }
  if (mean.length !== std.length && mean.length > 1 && std.length > 1) {
    const message = `\`data.normalize\` has ${mean.length} means and ${std.length} deviations; expected as many`;
    return wrong('std', message, 'give one for each channel, or one for all');
  }
  if (Math.max(...std) > 1 || Math.max(...mean) > 1) return [];
  const inPixels = (values: readonly number[]): string => values.map((value) => sixDigits(255 * value)).join(', ');
  return wrong(
    'std',
    '`data.normalize` has means and deviations between 0 and 1; pixels are 0 to 255',
    `write \`mean: [${inPixels(mean)}], std: [${inPixels(std)}]\``,
  );
}

const sixDigits = (value: number): string => String(Number(value.toPrecision(6)));

/** A mean or deviation for each channel, of which the images have others. */
function channelDiagnostics({ data }: ResolvedPipeline, locate: Locate, { channels }: ImageShape): Diagnostic[] {
  const { normalize } = dataSettings(data);
  const named = normalize === null ? null : namedChannels(normalize);
  if (named === null || named === channels) return [];
  return [
    {
      code: 'wrong-channels',
      place: locate(['data', 'normalize'], 'key'),
      message: `\`data.normalize\` is for ${counted(named, 'channel')}; the images have ${channels}`,
      hint:
        channels === 1
          ? 'write one number for `mean` and one for `std`, or `auto`'
          : 'give one for each channel, or `auto`',
    },
  ];
}

/** Settings that only pixels have, where the inputs are real values. */
function pixelDiagnostics({ data }: ResolvedPipeline, locate: Locate): Diagnostic[] {
  const { augment, normalize } = dataSettings(data);
  const written = [
    ...imageChanges(augment).map((field) => ['augment', field]),
    // Left out it is there with its defaults; and real values are measured as `auto` asks.
    ...(normalize === null || normalize === 'auto' || isDefaultGrid(normalize) ? [] : [['normalize']]),
  ];
  return written.map((path) => ({
    code: 'not-pixels',
    place: locate(['data', ...path], 'key'),
    message: `\`data.${path.join('.')}\` is for pixels, but the inputs of this data set are real values`,
    hint: 'leave it out: real values are standardized; or store images as uint8',
  }));
}

const isDefaultGrid = (normalize: NormalizeConfig): boolean =>
  isGrid(normalize) && normalize.scale === 1 / 255 && normalize.mean === 0;

/** Changes to pictures that are on. */
function imageChanges(augment: Augmentation): string[] {
  if (!('crop' in augment)) return [];
  const { crop, flip, rotation, translation, zoom, brightness, contrast, cutout } = augment;
  const all = { crop, flip, rotation, translation, zoom, brightness, contrast, cutout };
  return Object.entries(all).flatMap(([name, value]) => (value === undefined || Number(value) === 0 ? [] : [name]));
}

/** Changes to series, where the inputs are pixels. */
function seriesDiagnostics({ data }: ResolvedPipeline, locate: Locate): Diagnostic[] {
  const { augment } = dataSettings(data);
  if (!('jitter' in augment)) return [];
  const { shift, scale, jitter } = augment;
  return Object.entries({ shift, scale, jitter }).flatMap(([name, value]): Diagnostic[] =>
    value === 0
      ? []
      : [
          {
            code: 'not-series',
            place: locate(['data', 'augment', name], 'key'),
            message: `\`data.augment.${name}\` is for real values, but the inputs of this data set are pixels`,
            hint: 'for pixels there are `translation`, `zoom`, `brightness` and others',
          },
        ],
  );
}

type Size = Pick<DataSize, 'trainingImages' | 'validationImages' | 'testImages'>;

/** How many training examples are set aside. */
export function validationImages({ data }: Pick<ResolvedPipeline, 'data'>, size: Size): number {
  return dataSettings(data).validation ?? size.validationImages ?? 0;
}

function cropDiagnostics(
  { data }: ResolvedPipeline,
  locate: Locate,
  { height, width }: Pick<ImageShape, 'height' | 'width'>,
): Diagnostic[] {
  const { augment } = dataSettings(data);
  const crop = 'crop' in augment ? augment.crop : 0;
  const smallest = Math.min(height, width);
  if (crop < smallest) return [];
  return [
    {
      code: 'crop-too-large',
      place: locate(['data', 'augment', 'crop'], 'value'),
      message: `\`data.augment.crop\` is ${crop}, but the images are ${height}x${width}; a crop could miss the image`,
      hint: `a few pixels, at most ${smallest - 1}; 4 is usual for images of 32x32`,
    },
  ];
}

function countDiagnostics(pipeline: ResolvedPipeline, locate: Locate, size: Size): Diagnostic[] {
  const { trainingImages } = size;
  const validation = validationImages(pipeline, size);
  if (validation >= trainingImages) {
    return [
      {
        code: 'validation-too-large',
        place: locate(['data', 'validation'], 'value'),
        message: `\`data.validation\` is ${validation}, but the training split has ${counted(trainingImages, 'image')}`,
        hint: 'leave most of the images for training',
      },
    ];
  }
  const images = trainingImages - validation;
  return pipeline.stages.flatMap(({ name, config }): Diagnostic[] => {
    if (config.uses !== 'float-pretrain' && config.uses !== 'qat') return [];
    const { batch, epochs } = config;
    const perEpoch = stepsPerEpoch(images, batch);
    if (perEpoch === 0) {
      return [
        {
          code: 'batch-too-large',
          place: locate(['stages', name, 'batch'], 'value'),
          message: `\`stages.${name}.batch\` is ${batch}, but there ${images === 1 ? 'is' : 'are'} ${counted(images, 'image')} to train on`,
          hint: `a batch of at most ${images}`,
        },
      ];
    }
    const steps = epochs * perEpoch;
    if (config.uses !== 'qat') return [];
    return Object.entries({ delay: 'quantized', freeze_bn_delay: 'frozen' } as const).flatMap(([field, done]) => {
      const delay = config[field as 'delay' | 'freeze_bn_delay'] ?? 0; // the keys of the object above
      if (delay < steps) return [];
      return [
        {
          code: 'delay-too-long',
          place: locate(['stages', name, field], 'value'),
          message:
            `\`stages.${name}.${field}\` is ${delay} steps, but the training ends after ${steps} ` +
            `(epochs ${epochs}, ${perEpoch} steps each); nothing would be ${done}`,
          hint: `a delay below ${steps}, or more epochs`,
        },
      ];
    });
  });
}
