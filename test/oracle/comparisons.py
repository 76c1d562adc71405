"""What SciPy says of two runs from what they answered to the same examples."""

import numpy as np
from scipy import stats


def right_or_wrong(first, second):
    """The exact McNemar test: a fair coin for each example that only one of them got right."""
    only_first = int(np.sum(first > second))
    only_second = int(np.sum(first < second))
    p = stats.binomtest(only_first, only_first + only_second).pvalue
    return {"only_first": only_first, "only_second": only_second, "p": float(p)}


def errors(first, second):
    """Student's test of the differences."""
    answer = stats.ttest_rel(second.astype(np.float64), first.astype(np.float64))
    return {"p": float(answer.pvalue)}


def share(right, n):
    """The 95 % interval of Wilson's score."""
    interval = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    return [float(interval.low), float(interval.high)]


def fair(lost, won):
    """The exact McNemar test from counts."""
    return float(stats.binomtest(lost, lost + won).pvalue) if lost + won > 0 else 1.0


def paired_loss(lost, won, n):
    """The 95 % interval of a loss by Agresti and Min: half an example more in each of four cells, and then Wald's."""
    lost, won, n = lost + 0.5, won + 0.5, n + 2
    error = np.sqrt(lost + won - (lost - won) ** 2 / n) / n
    return [float(each) for each in stats.norm.interval(0.95, (lost - won) / n, error)]
