"""ZIP and tar archives and NumPy files, as Python writes them."""

import io
import tarfile
import zipfile

import numpy as np


def write_zip(files, method="ZIP_DEFLATED", streamed=False, comment=b""):
    """`files` is a list of [name, bytes]; with `streamed` the sizes follow the data, and entries are ZIP64."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", getattr(zipfile, method)) as archive:
        archive.comment = comment
        for name, data in files:
            if streamed:
                with archive.open(name, "w", force_zip64=True) as entry:
                    entry.write(data)
            else:
                archive.writestr(name, data)
    return buffer.getvalue()


def write_tar(files, form, mode="w", links=()):
    """`links` is a list of [name, target, type]."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=getattr(tarfile, form)) as archive:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        for name, target, kind in links:
            entry = tarfile.TarInfo(name)
            entry.type = getattr(tarfile, kind)
            entry.linkname = target
            archive.addfile(entry)
    return buffer.getvalue()


def write_npy(dtype, shape, fortran=False, seed=1, version=None):
    """The file, and its values exactly, as Python prints them, with commas between."""
    random = np.random.default_rng(seed)
    kind = np.dtype(dtype).kind
    if kind == "b":
        values = np.asarray(random.integers(0, 2, shape), dtype)
    elif kind in "iu":
        native = np.dtype(dtype).newbyteorder("=")
        bounds = np.iinfo(native)
        values = np.asarray(random.integers(bounds.min, bounds.max, shape, native, endpoint=True), dtype)
        values.flat[:2] = [bounds.min, bounds.max]
    else:
        special = [0.0, -0.0, np.inf, -np.inf, np.nan, np.finfo(np.dtype(dtype).newbyteorder("=")).smallest_subnormal]
        values = np.asarray(random.standard_normal(shape) * 100, dtype)
        values.flat[: len(special)] = special
    if fortran and values.ndim > 0:
        values = np.asfortranarray(values)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, values, version=version)
    return [buffer.getvalue(), ",".join(str(value.item()) for value in values.ravel(order="C"))]


def write_npz(names, compressed):
    buffer = io.BytesIO()
    arrays = {name: np.arange(index + 3, dtype="f8") / 4 for index, name in enumerate(names)}
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def write_any(values, dtype):
    buffer = io.BytesIO()
    np.save(buffer, np.array(values, dtype=dtype), allow_pickle=True)
    return buffer.getvalue()


def write_set(seed):
    """A set as Keras names its arrays, its inputs standardized by NumPy, and its classes as labels from 0."""
    random = np.random.default_rng(seed)

    def inputs(count):
        return np.asfortranarray(random.standard_normal((count, 6, 3)) * [1, 10, 0.1] + [0, 5, -3])

    x = [inputs(50), inputs(20)]
    y = [random.integers(-1, 3, len(values)).astype(">i2") for values in x]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x_train=x[0], y_train=y[0], x_test=x[1], y_test=y[1])
    mean, deviation = x[0].mean((0, 1)), x[0].std((0, 1))
    standardized = [((values - mean) / deviation).ravel().astype("<f4").tobytes() for values in x]
    return [buffer.getvalue(), *standardized, *[(classes + 1).astype("u1").tobytes() for classes in y]]
