import { defineConfig } from 'vitest/config';

/** What takes minutes: `npm run test:soak`. */
export default defineConfig({
  test: { include: ['test/soak/**/*.soak.ts'], hookTimeout: 120_000, maxWorkers: 2 },
});
