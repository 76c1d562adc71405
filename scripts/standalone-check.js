// Writes dist/config/check-pipeline.standalone.js: Ajv's check of a pipeline as code, which starts at once where
// compiling the schema takes a quarter of a second. The bundle of the command line has it in place of check-pipeline.js.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';

const generated = 'dist/config/check-pipeline.standalone.js';

/** @param {string} root of the repository, whose dist/ has been compiled */
export async function writeStandaloneCheck(root) {
  const { ajvOptions } = await import(join(root, 'dist/config/check-pipeline.js'));
  const { pipelineSchema } = await import(join(root, 'dist/config/schema.js'));
  const { withDefinitions } = await import(join(root, 'dist/config/definitions.js'));
  const ajv = new Ajv({ ...ajvOptions, code: { source: true, esm: true } });
  ajv.addSchema(withDefinitions(pipelineSchema), 'pipeline');
  writeFileSync(join(root, generated), standalone.default(ajv, { checkPipeline: 'pipeline' }));
}

/**
 * For esbuild: the code that was written instead of the module that compiles.
 *
 * @param {string} root of the repository
 * @returns {import('esbuild').Plugin}
 */
export const standaloneCheck = (root) => ({
  name: 'standalone-check',
  setup(build) {
    build.onResolve({ filter: /\/check-pipeline\.js$/ }, () => ({ path: join(root, generated) }));
  },
});
