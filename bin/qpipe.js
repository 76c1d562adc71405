#!/usr/bin/env node
import module from 'node:module';

// Node from 22.1 on keeps compiled code in the folder for temporary files.
module.enableCompileCache?.();
await import('../dist/bundle/main.js');
