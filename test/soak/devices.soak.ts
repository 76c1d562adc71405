/** The integers of devices on three times as many random networks. */
process.env['ORACLE_NETWORKS'] ??= '100';
await import('../oracle/devices.test.ts');
