"""How many labels are still wrong: estimated from random checks, with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.intervals import Estimate, clopper_pearson

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LabelError:
    """Wrong labels among those that nobody checked.

    Attributes
    ----------
    share : Estimate
        Wrong labels as a fraction of all labels of the table, in [0, 1]; lower is better. Its
        `n` is the number of random checks. Labels that people gave count as right.
    remaining, low, high : float
        The same as a number of labels.
    wrong : int
        Random checks that found the label wrong.
    unsure : int
        Random checks that ended unsure or in dispute: right in `low`, wrong in `high`.
    population : int
        Rows that the random checks were drawn from.
    corrected : int
        Of those, labels that people have corrected since, in whatever queue.
    """

    share: Estimate
    remaining: float
    low: float
    high: float
    wrong: int
    unsure: int
    population: int
    corrected: int


@dataclass(frozen=True)
class Checks:
    """What is known of each row at the moment; all arrays have shape (n,).

    Attributes
    ----------
    machine : ndarray, int64
        The label that the row would carry had nobody looked at it (the table's own, else the
        classifier's, out of fold), or -1.
    human : ndarray, int64
        What people decided, or -1.
    seen : ndarray, bool
        Rows that anyone decided on, or was unsure about.
    population : ndarray, bool
        Rows that nobody had seen when the round of random checks began.
    order : ndarray, int64
        The random order in which the round goes through all rows.
    """

    machine: IntArray
    human: IntArray
    seen: BoolArray
    population: BoolArray
    order: IntArray


def label_error(checks: Checks) -> LabelError | None:
    """Estimate how many labels are still wrong.

    Rows come in a random order that nothing else depends on. So the rows of the population at
    its head, up to the first that nobody has seen, are a simple random sample of it, and their
    wrong labels say how many the whole population had. Those that people have corrected are
    known and are taken off. Rows looked at first because the classifier is not sure of them are
    never taken for a sample.

    Parameters
    ----------
    checks : Checks
        What is known of each row.

    Returns
    -------
    LabelError or None
        None while no random check has been made. The interval is Clopper and Pearson's: exact,
        95 %, somewhat wide where much of the population is in the sample.
    """
    has_label = checks.machine >= 0
    pool = checks.population & has_label
    drawn = checks.order[pool[checks.order]]
    seen = checks.seen[drawn]
    sample = drawn[: len(seen) if seen.all() else int(np.argmin(seen))]
    if not len(sample):
        return None
    is_corrected = (checks.human >= 0) & (checks.human != checks.machine)
    wrong = int(is_corrected[sample].sum())
    unsure = int((checks.human[sample] < 0).sum())
    n, size = len(sample), int(pool.sum())
    low, high = clopper_pearson(wrong, n)[0], clopper_pearson(wrong + unsure, n)[1]
    corrected = int((is_corrected & pool).sum())
    # A decision taken back after the round began puts a row of which the sample knows nothing.
    outside = int((~checks.seen & has_label & ~pool).sum())
    undecided = int((pool & ~checks.seen).sum())
    at_most = undecided + outside
    value = wrong / max(n - unsure, 1)
    ends = [min(max(size * rate - corrected, 0), undecided) for rate in (value, low, high)]
    ends[2] = min(ends[2] + outside, at_most)
    labels = max(int(((checks.human >= 0) | (~checks.seen & has_label)).sum()), 1)
    share = Estimate(ends[0] / labels, ends[1] / labels, ends[2] / labels, n)
    return LabelError(share, ends[0], ends[1], ends[2], wrong, unsure, size, corrected)
