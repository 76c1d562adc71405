/** 40 random networks in each of five kinds of Keras's files, against Keras. */
process.env['ORACLE_NETWORKS'] ??= '40';
await import('../oracle/keras.test.ts');
