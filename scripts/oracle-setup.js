// Makes the two Python environments that test/oracle/ compares with.
import { makeEnvironment, tensorflow } from './python-environment.js';

await makeEnvironment({
  name: 'oracle',
  folder: '.oracle',
  // The last ONNX that goes with the protobuf of TensorFlow 2.15.
  requirements: [...tensorflow, 'onnx==1.16.2', 'tf2onnx==1.16.1'],
  modules: ['tensorflow', 'tf2onnx'],
});
// What runs models today: on microcontrollers, phones and NPUs, and where models come from. They need NumPy 2.
await makeEnvironment({
  name: 'oracle',
  folder: '.oracle-runtimes',
  requirements: [
    ...['tflite-micro==0.dev20261023182759', 'ai-edge-litert==2.3.0', 'ethos-u-vela==5.2.0'],
    ...['onnx==1.23.2', 'onnxruntime==1.32.0', 'keras==3.15.1', 'jax==0.10.2', 'h5py==3.16.0'],
  ],
  // Only its schema of metadata is read; what it brings is for its task library.
  alone: ['tflite-support==0.4.4'],
  modules: ['tflite_micro', 'ai_edge_litert.interpreter', 'ethosu.vela', 'onnxruntime'],
});
