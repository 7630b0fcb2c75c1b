"""A number becomes groups: as many rows in each, and little of it left within them."""

import numpy as np
import pytest

from sensitivenets.embeddings.number_bands import number_bands
from sensitivenets.errors import InputError


def test_bands_hold_as_many_rows_and_leave_a_share_of_the_variance():
    values = np.random.default_rng(0).uniform(0, 80, 4000)
    bands = np.array(number_bands(values))
    names, counts = np.unique(bands, return_counts=True)
    assert len(names) == 8
    assert counts.tolist() == [500] * 8
    within = np.mean([values[bands == name].var() for name in names])
    assert within / values.var() == pytest.approx(1 / 64, rel=0.1)


def test_numbers_that_many_rows_share_are_in_one_band():
    values = np.repeat([25.0, 25.0, 25.0, 35.0, 45.0], 10)
    bands = number_bands(values, 4)
    assert len(set(bands)) < 4
    assert all(
        len({b for b, v in zip(bands, values, strict=True) if v == one}) == 1 for one in (25, 35)
    )


def test_unknown_numbers_are_in_no_band():
    assert number_bands(np.array([np.nan, 1.0, 2.0]), 2) == [None, "1 to 1.5", "1.5 to 2"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([3.0, 3.0], "expected different numbers, found 1"),
        ([np.nan], "found 0"),
        ([1, np.inf], "infinite"),
    ],
)
def test_what_is_no_number_to_hide_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        number_bands(np.array(values, dtype=np.float64))
