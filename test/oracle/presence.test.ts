/** Says once whether the tests of this folder run at all. */
import { it } from 'vitest';
import { hasOracle, hasRuntimes } from './oracle.ts';

it.skipIf(hasOracle)('compares nothing with TensorFlow without .oracle/', () => {
  process.stderr.write('test/oracle is skipped: there is no .oracle/; `npm run oracle:setup` makes it\n');
});

it.skipIf(hasRuntimes)('compares nothing with the runtimes of devices without .oracle-runtimes/', () => {
  const lack = 'what it compares with the runtimes of devices and with other formats is skipped';
  process.stderr.write(`test/oracle: ${lack}: there is no .oracle-runtimes/; \`npm run oracle:setup\` makes it\n`);
});
