"""Passes in which torch multiplies find what numpy finds."""

import numpy as np
import pytest

from sensitivenets.embeddings import Labels, encode
from sensitivenets.erasers.fit_table import fit_table
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.transport.adapt import adapt_passes
from sensitivenets.erasers.transport.by_source import adapt_by_source
from sensitivenets.erasers.transport.coded_transport import CodedTransport
from sensitivenets.erasers.transport.passes import IN_NUMPY, HeldRows
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import InputError
from sensitivenets.maps.on_device import OnDevice, products_on

D, N = 12, 3000


class Counted(OnDevice):
    """Says how often it was asked."""

    asked = 0

    def scatter(self, rows, out):
        type(self).asked += 1
        return super().scatter(rows, out)


BOTH = (IN_NUMPY, Counted(products_on("cpu").device))


def population(seed):
    """Draw two groups that differ in their means and spreads."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(2, size=N)
    X = rng.normal(size=(N, D)) * np.where(groups[:, None], 1.2, 0.8)
    X[:, 0] += np.where(groups, 2.5, -2.5)
    return X.astype(np.float32), groups


KNOWN, GROUPS = population(0)
MINE, _ = population(1)
ROWS = HeldRows(lambda: iter([MINE]), N)


def agree(numpy, torch):
    """Rows on the border of two groups may take the other side: here there are none."""
    np.testing.assert_allclose(torch(MINE), numpy(MINE), atol=1e-4)


@pytest.mark.parametrize("rank", [None, 4])
def test_fit(rank):
    before = Counted.asked
    maps = [
        RoutedTransport(n_rounds=2, rank=rank, random_state=0)
        .fit_passes(lambda: iter([KNOWN]), {"group": encode("group", GROUPS)}, products)
        .model_.map
        for products in BOTH
    ]
    agree(*maps)
    # One group, and two in each of two rounds: once as they are labelled, once as predicted.
    assert Counted.asked - before == 1 + 2 * (2 + 2)
    for name, array in maps[0].arrays().items():
        assert type(array) is np.ndarray, name


@pytest.mark.parametrize("eraser", [RoutedTransport(n_rounds=1), CodedTransport(n_bits=64)])
def test_adapt(eraser):
    model = eraser.set_params(random_state=0).fit(KNOWN, sensitive={"a": GROUPS}).model_
    found = [adapt_passes(model, ROWS, products=products) for products in BOTH]
    agree(*(one.map for one in found))
    numpy, torch = (one.moments.whole for one in found)
    assert torch.scatter.dtype == np.float64
    np.testing.assert_allclose(torch.scatter, numpy.scatter, rtol=1e-4, atol=1e-2)


def test_adapt_with_subjects_and_sources():
    model = RoutedTransport(n_rounds=1, random_state=0).fit(KNOWN, sensitive={"a": GROUPS}).model_
    source = Labels("camera", np.arange(N) // 2 % 2, ("left", "right"))
    people = np.arange(N) // 4
    maps = [
        adapt_by_source(model, ROWS, source, subjects=people, products=products).map
        for products in BOTH
    ]
    agree(*maps)


def test_a_method_that_would_wait_for_the_rows_says_so():
    with pytest.raises(InputError, match=r"device: LEACE adds each row up once, .* leave it out"):
        fit_table(LEACE(), "faces.parquet", sensitive=["gender"], products=BOTH[1])
