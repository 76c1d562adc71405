/** 200 random .tflite files of floats, half of them with weights of float16, against TensorFlow Lite. */
process.env['ORACLE_NETWORKS'] ??= '200';
await import('../oracle/tflite-imports.test.ts');
