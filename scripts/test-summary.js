// Prints the line that closes a test run, from vitest's JSON results.
import { readFileSync } from 'node:fs';

const results = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = results;
// A file that fails outside its tests (a broken import) has no failed test to count.
const brokenFiles = results.testResults.filter(
  (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
).length;
console.log(`${passed} passed, ${failed + brokenFiles} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed + brokenFiles === 0 && passed > 0 ? 0 : 1;
