"""Quantization-aware training of a small network, rewritten after the rules of tf.contrib.quantize."""

import numpy as np
import tensorflow as tf
from tensorflow.python.training import moving_averages

v1 = tf.compat.v1


class Quantizers:
    """Fake quantizers that act from step `delay` on; what observes their ranges runs from the first step."""

    def __init__(self, active, decay, symmetric):
        self.active, self.decay, self.symmetric = active, decay, symmetric
        # By the names of our variables.
        self.ranges = {}

    def fake_quant(self, x, low, high, **options):
        quantize = tf.quantization.fake_quant_with_min_max_vars
        if low.shape.rank == 1:
            quantize = tf.quantization.fake_quant_with_min_max_vars_per_channel
        # The ranges are assigned, not learned.
        low, high = tf.stop_gradient(low), tf.stop_gradient(high)
        return tf.cond(self.active, lambda: quantize(x, low, high, **options), lambda: x)

    def weights(self, name, x, per_channel=True):
        """The last axis is that of the output channels; ranges that are not symmetric are never per channel."""
        if self.symmetric:
            high = tf.reduce_max(tf.abs(x), axis=list(range(x.shape.rank - 1)) if per_channel else None)
            low = -high
        else:
            low, high = tf.minimum(tf.reduce_min(x), 0), tf.maximum(tf.reduce_max(x), 0)
        self.ranges[f"{name}/weights_quant/min"], self.ranges[f"{name}/weights_quant/max"] = low, high
        return self.fake_quant(x, low, high, narrow_range=True)

    def activation(self, name, x):
        observed = {"min": tf.minimum(tf.reduce_min(x), 0), "max": tf.maximum(tf.reduce_max(x), 0)}
        ends = []
        for end, value in observed.items():
            average = v1.get_variable(f"{name}/act_quant/{end}", initializer=np.float32(0), trainable=False)
            ends.append(
                tf.identity(moving_averages.assign_moving_average(average, value, self.decay, zero_debias=True))
            )
            self.ranges[f"{name}/act_quant/{end}"] = ends[-1]
        return self.fake_quant(x, *ends)


def normalized(form, convolve, x, filters, weights, quantizers, frozen, epsilon):
    """A convolution behind which batch norm stands, or into which it is folded; and the statistics that it used."""
    gamma, beta = weights["conv/gamma"], weights["conv/beta"]
    moving_mean, moving_variance = weights["conv/moving_mean"], weights["conv/moving_variance"]
    if form == "kept":
        y = convolve(x, quantizers.weights("conv", filters))
        mean, variance = tf.nn.moments(y, [0, 1, 2])
        return tf.nn.batch_normalization(y, mean, variance, beta, gamma, epsilon), mean, variance
    # fold_batch_norms.py, with its names: everything is differentiated, statistics of the batch too.
    mean, variance = tf.nn.moments(convolve(x, filters), [0, 1, 2])
    # In float64 and rounded once: whether the largest weight of a channel still lies in the range that it sets, and
    # has a gradient, depends on its last bit.
    wide_sigma = tf.sqrt(tf.cast(moving_variance, tf.float64) + epsilon)
    y = convolve(x, quantizers.weights("conv", filters * tf.cast(tf.cast(gamma, tf.float64) / wide_sigma, tf.float32)))
    sigma, moving_sigma = tf.sqrt(variance + epsilon), tf.sqrt(moving_variance + epsilon)
    offset = gamma * (mean / sigma - moving_mean / moving_sigma)
    correction_recip = tf.cond(frozen, lambda: tf.ones_like(sigma), lambda: moving_sigma / sigma)
    correction_offset = tf.cond(frozen, lambda: offset, lambda: tf.zeros_like(offset))
    return correction_recip * y + correction_offset + (beta - mean * gamma / sigma), mean, variance


def build(image_shape, weights, options):
    """
    conv, batch norm or bias, relu, fully connected, cross entropy and momentum. `weights` are variables in our layouts.
    Returns what to feed, what to fetch by our names, and the updates.
    """
    images = v1.placeholder(tf.float32, image_shape)
    labels = v1.placeholder(tf.int64, image_shape[:1])
    counter = v1.get_variable("fake_quantization_step", initializer=np.float32(0), trainable=False)
    count = tf.identity(v1.assign_add(counter, 1))
    active = count >= options["delay"]
    frozen = count >= options["freeze_delay"]
    quantizers = Quantizers(active, options["decay"], options["symmetric"])

    def convolve(x, filters):
        return tf.nn.conv2d(x, filters, 1, "SAME")

    x = quantizers.fake_quant(images, *[tf.constant(end, tf.float32) for end in options["input_range"]])
    filters = tf.transpose(weights["conv/filter"], [1, 2, 3, 0])
    statistics = []
    if options["batch_norm"] == "none":
        x = convolve(x, quantizers.weights("conv", filters)) + weights["conv/bias"]
    else:
        x, *statistics = normalized(
            options["batch_norm"], convolve, x, filters, weights, quantizers, frozen, options["epsilon"]
        )
    x = quantizers.activation("conv", tf.nn.relu(x))
    x = tf.reshape(x, [image_shape[0], -1])
    filters = quantizers.weights("logits", tf.transpose(weights["logits/filter"]), options["dense_per_channel"])
    x = x @ filters + weights["logits/bias"]
    logits = quantizers.activation("logits", x)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))

    trainable = {name: variable for name, variable in weights.items() if "moving" not in name}
    gradients = dict(zip(trainable, v1.gradients(loss, list(trainable.values()))))
    with tf.control_dependencies([loss, *gradients.values()]):
        optimizer = v1.train.MomentumOptimizer(options["rate"], options["momentum"])
        updates = [optimizer.apply_gradients([(gradients[name], trainable[name]) for name in trainable])]
        for name, value in zip(["conv/moving_mean", "conv/moving_variance"], statistics):
            share = tf.where(frozen, 0.0, 1 - options["batch_norm_momentum"])
            updates.append(weights[name].assign_sub((weights[name] - value) * share).op)
    fetches = {
        "loss": loss,
        "logits/act_quant/fake_quant": logits,
        "fake_quantization_step/next": count,
        "fake_quantization_step/active": tf.cast(active, tf.float32),
        **{f"{name}/gradient": gradient for name, gradient in gradients.items()},
        **quantizers.ranges,
    }
    return (images, labels), fetches, updates


def steps(batches, weights_before, options):
    """
    What each step computes, and the weights after it, by our names. Each starts from the given weights; averages,
    counters and momenta are TensorFlow's own.
    """
    with v1.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        with v1.variable_scope("", use_resource=True):
            weights = {
                name: v1.get_variable(name, initializer=value, use_resource=True)
                for name, value in weights_before[0].items()
            }
            placeholders, fetches, updates = build(batches[0][0].shape, weights, options)
        session.run(v1.global_variables_initializer())
        results = []
        for batch, before in zip(batches, weights_before):
            for name, variable in weights.items():
                variable.load(before[name], session)
            computed, _ = session.run([fetches, updates], dict(zip(placeholders, batch)))
            after = session.run({name: variable.read_value() for name, variable in weights.items()})
            results.append({**computed, **after})
        return results
