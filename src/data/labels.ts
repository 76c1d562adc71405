/** What labels must be for a network to learn classes from them. */
import { userError } from '../core/diagnostic.ts';
import type { UserError } from '../core/diagnostic.ts';
import type { DatasetIdentity } from './dataset.ts';

type Labelled = Pick<DatasetIdentity, 'name' | 'classNames' | 'labels'>;

/** A mistake when all training images are of one class: every network is right about that. Else null. */
export function oneClass({ name, classNames, labels: { training } }: Labelled): UserError | null {
  const [only, ...others] = training.flatMap((count, label) => (count > 0 ? [label] : []));
  if (only === undefined || others.length > 0) return null;
  return userError(
    name,
    'one-class',
    `all ${training[only] ?? 0} training images are of class ${classNames[only] ?? only}; expected at least two classes`,
    'look at the file of labels, or use `task: reconstruct`, which needs none',
  );
}

/** What is allowed but odd, in sentences: classes that no image has, and some that only the test images have. */
export function labelNotes({ classNames, labels: { training, test } }: Labelled): string[] {
  const named = (labels: readonly number[]): string => {
    const shown = labels.slice(0, 5).map((label) => classNames[label] ?? String(label));
    const more = labels.length - shown.length;
    return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
  };
  const untrained = classNames.flatMap((_, label) => (training[label] === 0 ? [label] : []));
  const empty = untrained.filter((label) => test[label] === 0);
  const unseen = untrained.filter((label) => test[label] !== 0);
  return [
    ...(empty.length > 0
      ? [`no image is of class ${named(empty)}: the network has an output for each label from 0 to the largest`]
      : []),
    ...(unseen.length > 0 ? [`some test images are of class ${named(unseen)}, but no training image is`] : []),
  ];
}
