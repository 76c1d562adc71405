#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
import { codeCache, runBundle } from './bundle.js';

runBundle(existsSync(codeCache) ? { cachedData: readFileSync(codeCache) } : {});
