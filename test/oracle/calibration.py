"""Ranges of activations from their values, in NumPy, from the definitions that src/calibration names."""

import numpy as np

LEVELS = 256


def min_max(values):
    """All values, and 0."""
    return float(min(values.min(), 0)), float(max(values.max(), 0))


def percentile(values, share):
    """Between which values each end of the middle `share` percent lies: the two around its rank, and their neighbours."""
    ordered, beyond = np.sort(values), len(values) * (100 - share) / 200
    below, above = int(np.floor(beyond)), int(np.ceil(beyond))
    last = len(values) - 1
    low = ordered[max(0, below - 1)], ordered[min(last, above + 1)]
    high = ordered[max(0, last - above - 1)], ordered[min(last, last - below + 1)]
    return {"low": [float(min(end, 0)) for end in low], "high": [float(max(end, 0)) for end in high]}


def rounded(values, low, high):
    """Quantized and back: 256 levels from low to high, moved so that one of them is 0 (Jacob et al. 2018, section 2.1)."""
    scale = (high - low) / (LEVELS - 1)
    zero = np.clip(np.round(-low / scale), 0, LEVELS - 1)
    return (np.clip(np.round(values / scale) + zero, 0, LEVELS - 1) - zero) * scale


def squared_error(values, low, high):
    """Equation 21 of Nagel et al. 2021, "A white paper on neural network quantization", without its root."""
    return float(np.mean((values - rounded(values, low, high)) ** 2))


def least_squared_error(values, parts=25):
    """The least error of all ranges whose ends are among so many parts of the extent's: every pair is tried."""
    low, high = min_max(values)
    lows = [low * part / parts for part in range(1, parts + 1)] if low < 0 else [0.0]
    highs = [high * part / parts for part in range(1, parts + 1)] if high > 0 else [0.0]
    return min(squared_error(values, one, other) for one in lows for other in highs if other > one)


def divergences(values, bins=2048):
    """
    The calibration of Migacz 2017, "8-bit inference with TensorRT", page 37, with 256 levels where its magnitudes have
    128: what the values up to each magnitude lose of the distribution. One row for each: low, high, divergence.
    """
    low, high = min_max(values)
    counts, edges = np.histogram(values[values != 0], bins=bins, range=(low, high))
    counts = counts.astype(np.float64)
    zero = min(max(int(np.floor(-low / (edges[1] - edges[0]))), 0), bins - 1)
    rows = []
    for reach in range(bins):
        first, last = max(0, zero - reach), min(bins, zero + reach + 1)
        size = last - first
        if size < LEVELS:
            continue
        reference = counts[first:last].copy()
        reference[0] += counts[:first].sum()
        reference[-1] += counts[last:].sum()
        # Each level's count, over its bins that are not empty.
        starts = np.arange(LEVELS) * size // LEVELS
        inside, filled = counts[first:last], counts[first:last] > 0
        level = np.repeat(np.arange(LEVELS), np.diff([*starts, size]))
        mean = np.add.reduceat(inside, starts) / np.maximum(np.add.reduceat(filled.astype(np.float64), starts), 1)
        candidate = np.where(filled, mean[level], 0.0)
        p, q = reference / reference.sum(), candidate / candidate.sum()
        known = p > 0
        with np.errstate(divide="ignore"):
            rows.append([edges[first], edges[last], np.sum(p[known] * np.log(p[known] / q[known]))])
        if size == bins:
            break
    return np.array(rows)


def extra_divergence(values, low, high):
    """How much more a range loses than the best one; of the candidate that it is, which is less than half a bin away."""
    rows = divergences(values)
    distance = np.abs(np.minimum(rows[:, 0], 0) - low) + np.abs(np.maximum(rows[:, 1], 0) - high)
    nearest = np.argmin(distance)
    extent = rows[-1, 1] - rows[-1, 0]
    if distance[nearest] > extent / 4096:
        return np.inf
    return float(rows[nearest, 2] - rows[:, 2].min())


def judged(values, chosen, share):
    """What NumPy says of values, and of the ranges that were chosen from them by each method."""
    values = np.asarray(values, np.float64).reshape(-1)
    return {
        "min_max": min_max(values),
        "percentile": percentile(values, share),
        "error": squared_error(values, *chosen["mse"]),
        "least_error": least_squared_error(values),
        "extra_divergence": extra_divergence(values, *chosen["entropy"]),
    }
