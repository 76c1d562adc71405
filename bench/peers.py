"""Measures one case on TensorFlow, tfmot, PyTorch or TensorFlow Lite and prints it as JSON, as step.js does on ours.

Arguments: the case as JSON, and the folder with the integer models. Layers, batch, optimizer and data are those of
step.js; each program is used as its own guides have it.
"""

import json
import os
import statistics
import sys
import time

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
# TensorFlow's faster kernels, which it leaves off on processors without AVX-512; our tensorflow engine uses them too.
os.environ['TF_ENABLE_ONEDNN_OPTS'] = '1'

NUM_CLASSES = 10
LEARNING_RATE = 1e-3
MOMENTUM = 0.9


def timed(case, parts, step):
    times = []
    for index in range(case['warmup'] + case['steps']):
        start = time.perf_counter()
        step()
        if index >= case['warmup']:
            times.append((time.perf_counter() - start) * 1000 / parts)
    return {'median': statistics.median(times), 'best': min(times)}


def random_batch(case, image):
    import numpy

    random = numpy.random.default_rng(1)
    images = random.uniform(-1, 1, [case['batch'], *image]).astype('float32')
    return images, random.integers(0, NUM_CLASSES, [case['batch']])


IMAGES = {'lenet5': [28, 28, 1], 'resnet8': [32, 32, 3]}


def keras_network(keras, network):
    layers = keras.layers
    image = keras.Input(IMAGES[network])

    def conv(x, filters, size, strides=1, padding='same', norm=False, relu=True):
        # Batch norm subtracts the mean, so that a bias before it would only cost time.
        x = layers.Conv2D(filters, size, strides=strides, padding=padding, use_bias=not norm)(x)
        x = layers.BatchNormalization()(x) if norm else x
        return layers.Activation('relu')(x) if relu else x

    if network == 'lenet5':
        x = layers.MaxPooling2D()(conv(image, 6, 5))
        x = layers.MaxPooling2D()(conv(x, 16, 5, padding='valid'))
        x = layers.Flatten()(x)
        x = layers.Dense(120, activation='relu')(x)
        x = layers.Dense(84, activation='relu')(x)
    else:
        x = conv(image, 16, 3, norm=True)
        for filters, strides in [(16, 1), (32, 2), (64, 2)]:
            bypass = x if strides == 1 else conv(x, filters, 1, strides, relu=False)
            x = conv(x, filters, 3, strides, norm=True)
            x = conv(x, filters, 3, norm=True, relu=False)
            x = layers.Activation('relu')(layers.Add()([x, bypass]))
        x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(image, layers.Dense(NUM_CLASSES)(x))


def time_keras(case):
    import tensorflow as tf

    set_tensorflow_threads(tf, case['threads'])
    return time_keras_model(tf, tf.keras, keras_network(tf.keras, case['network']), case), f'{tf.__version__}, oneDNN'


def time_tfmot(case):
    # Imported before Keras is used: it decides which Keras TensorFlow gives.
    import tensorflow_model_optimization as tfmot
    import tensorflow as tf

    set_tensorflow_threads(tf, case['threads'])
    model = tfmot.quantization.keras.quantize_model(keras_network(tf.keras, case['network']))
    return time_keras_model(tf, tf.keras, model, case), f'{tfmot.__version__} on TensorFlow {tf.__version__}, oneDNN'


def set_tensorflow_threads(tf, threads):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def time_keras_model(tf, keras, model, case):
    images, labels = map(tf.constant, random_batch(case, IMAGES[case['network']]))
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss

    return timed(case, 1, lambda: check_finite(step().numpy()))


def check_finite(loss):
    # Arithmetic on NaN takes another time.
    if not abs(loss) < float('inf'):
        raise AssertionError(f'the loss became {loss}')


def torch_network(torch, network):
    from torch import nn

    class Convolution(nn.Sequential):
        def __init__(self, inputs, outputs, size, stride=1, padding=None, norm=False, relu=True):
            padding = size // 2 if padding is None else padding
            parts = [nn.Conv2d(inputs, outputs, size, stride, padding, bias=not norm)]
            parts += [nn.BatchNorm2d(outputs)] if norm else []
            parts += [nn.ReLU()] if relu else []
            super().__init__(*parts)

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            bypass = Convolution(inputs, outputs, 1, stride, relu=False)
            self.bypass = nn.Identity() if stride == 1 else bypass
            self.first = Convolution(inputs, outputs, 3, stride, norm=True)
            self.second = Convolution(outputs, outputs, 3, norm=True, relu=False)
            self.sum = torch.nn.quantized.FloatFunctional()

        def forward(self, x):
            return self.sum.add_relu(self.second(self.first(x)), self.bypass(x))

    if network == 'lenet5':
        layers = [
            *(Convolution(1, 6, 5), nn.MaxPool2d(2), Convolution(6, 16, 5, padding=0), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, NUM_CLASSES)),
        ]
    else:
        layers = [
            *(Convolution(3, 16, 3, norm=True), Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)),
            *(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(64, NUM_CLASSES)),
        ]
    return nn.Sequential(*layers)


def fuse(torch, model):
    """Joins what is quantized as one: convolution, batch norm and ReLU; fully connected and ReLU."""
    from torch import nn

    for module in list(model.modules()):
        if not isinstance(module, nn.Sequential):
            continue
        children = [name for name, _ in module.named_children()]
        kinds = [type(module[int(name)]) for name in children]
        groups, start = [], 0
        while start < len(kinds):
            end = start + 1
            if kinds[start] in (nn.Conv2d, nn.Linear):
                while end < len(kinds) and kinds[end] in (nn.BatchNorm2d, nn.ReLU):
                    end += 1
            if end - start > 1:
                groups.append(children[start:end])
            start = end
        if groups:
            torch.ao.quantization.fuse_modules_qat(module, groups, inplace=True)


def time_torch(case):
    import torch

    torch.set_num_threads(case['threads'])
    model = torch_network(torch, case['network']).train()
    if case['level'] == 'qat':
        model = torch.ao.quantization.QuantWrapper(model).train()
        fuse(torch, model)
        model.qconfig = torch.ao.quantization.get_default_qat_qconfig('fbgemm')
        model = torch.ao.quantization.prepare_qat(model)
    images, labels = random_batch(case, IMAGES[case['network']])
    images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    if case['network'] == 'resnet8':
        # The faster of the two layouts for it.
        images, model = images.to(memory_format=torch.channels_last), model.to(memory_format=torch.channels_last)
    labels = torch.from_numpy(labels)
    loss_of = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=MOMENTUM)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(images), labels)
        loss.backward()
        optimizer.step()
        check_finite(loss.item())

    return timed(case, 1, step), torch.__version__


def time_tflite(case, models):
    import numpy
    import tensorflow as tf

    file = os.path.join(models, f'{case["network"]}.tflite')
    interpreter = tf.lite.Interpreter(file, num_threads=case['threads'])
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]['index']
    output = interpreter.get_output_details()[0]['index']
    images = numpy.random.default_rng(1).integers(
        -128, 128, [case['blockImages'], 1, *IMAGES[case['network']]], dtype=numpy.int8
    )

    def block():
        for image in images:
            interpreter.set_tensor(index, image)
            interpreter.invoke()
            interpreter.get_tensor(output)

    return timed(case, case['blockImages'], block), tf.__version__


def main():
    case, models = json.loads(sys.argv[1]), sys.argv[2]
    measure = {
        'keras': time_keras,
        'tfmot': time_tfmot,
        'torch': time_torch,
        'tflite': lambda case: time_tflite(case, models),
    }
    sample, version = measure[case['who']](case)
    print(json.dumps({**sample, 'version': version}))


main()
