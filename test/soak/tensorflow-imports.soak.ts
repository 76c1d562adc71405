/** 200 random frozen graphs and 102 SavedModels of three kinds, against TensorFlow. */
process.env['ORACLE_NETWORKS'] ??= '200';
await import('../oracle/tensorflow-graphs.test.ts');
