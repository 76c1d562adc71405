/** All of TensorFlow's own models in every kind, rewritten for LiteRT, and run here with twice as many draws. */
process.env['ORACLE_MODELS'] ??= 'all';
await import('../oracle/litert.test.ts');
await import('../oracle/foreign-models.test.ts');
