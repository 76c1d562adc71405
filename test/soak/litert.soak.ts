/** All of TensorFlow's own models in every kind, rewritten for LiteRT. */
process.env['ORACLE_MODELS'] ??= 'all';
await import('../oracle/litert.test.ts');
