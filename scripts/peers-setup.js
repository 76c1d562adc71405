// Makes .peers/, a Python environment with what bench/ measures beside our engines. `--torch` adds PyTorch: pip's
// default index has it for Linux with CUDA only, several GB.
import { makeEnvironment, tensorflow } from './python-environment.js';

const withTorch = process.argv.includes('--torch');
await makeEnvironment({
  name: 'peers',
  folder: '.peers',
  // The last PyTorch that is built for NumPy 1, which TensorFlow 2.15 needs.
  requirements: [...tensorflow, 'tensorflow-model-optimization==0.8.0', ...(withTorch ? ['torch==2.2.2'] : [])],
  // tfmot's Keras. It asks for the larger TensorFlow, whose files would lie over those of the one above.
  alone: ['tf_keras==2.15.1'],
  modules: ['tensorflow_model_optimization', ...(withTorch ? ['torch'] : [])],
});
if (!withTorch) {
  console.log('peers: PyTorch is left out, as it may be several GB; `npm run peers:setup -- --torch` adds it');
}
