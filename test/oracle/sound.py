"""Features of sound by TensorFlow."""

import tensorflow as tf


def log_mel(samples, rate, frame_length, frame_step, fft_length, spectrum, mel_bins, lower, upper, offset, dtype):
    """A list of the logarithms of the mel bands and all of their cepstral coefficients."""
    samples = tf.constant(samples, tf.as_dtype(dtype))
    spectra = tf.abs(tf.signal.stft(samples, frame_length, frame_step, fft_length))
    if spectrum == "power":
        spectra = spectra**2
    weights = tf.signal.linear_to_mel_weight_matrix(
        mel_bins, fft_length // 2 + 1, rate, lower, upper, dtype=samples.dtype
    )
    mels = tf.math.log(spectra @ weights + offset)
    return [mels, tf.signal.mfccs_from_log_mel_spectrograms(mels)]


def micro_frontend(samples, rate, options):
    from tensorflow.lite.experimental.microfrontend.python.ops import audio_microfrontend_op

    values = audio_microfrontend_op.audio_microfrontend(tf.constant(samples, tf.int16), sample_rate=rate, **options)
    return tf.cast(values, tf.int32)


def decode_wav(contents):
    """The samples of all channels in a row, and the rate."""
    samples, rate = tf.audio.decode_wav(contents)
    return [samples, rate]


def pymicro_frontend(samples):
    """The integers of pymicro-features at 16 kHz; None where it is not installed."""
    try:
        from pymicro_features import MicroFrontend
    except ImportError:
        return None
    frontend, values = MicroFrontend(), []
    # It reads the first 160 samples of what it is given; the first two calls fill its window of 480.
    for start in range(0, len(samples) - 159, 160):
        features = frontend.process_samples(samples[start : start + 160].astype("<i2").tobytes()).features
        values.extend(round(value * 25.6) for value in features)
    return tf.constant(values, tf.int32)
