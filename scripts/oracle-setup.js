// Makes .oracle/, a Python environment with the TensorFlow that test/oracle/ compares with.
import { makeEnvironment, tensorflow } from './python-environment.js';

await makeEnvironment({ name: 'oracle', folder: '.oracle', requirements: tensorflow, modules: ['tensorflow'] });
