/** Whole networks in TensorFlow and here, with three times as many random ones. */
process.env['ORACLE_NETWORKS'] ??= '140';
await import('../oracle/networks.test.ts');
