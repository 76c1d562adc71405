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
