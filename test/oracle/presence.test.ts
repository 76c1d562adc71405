/** Says once whether the tests of this folder run at all. */
import { it } from 'vitest';
import { hasOracle } from './oracle.ts';

it.skipIf(hasOracle)('compares nothing with TensorFlow without .oracle/', () => {
  process.stderr.write('test/oracle is skipped: there is no .oracle/; `npm run oracle:setup` makes it\n');
});
