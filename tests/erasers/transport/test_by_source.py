"""A table of several sources: each is adapted to by itself, and later rows do not name theirs."""

import numpy as np
import pytest

from sensitivenets.embeddings import Labels
from sensitivenets.erasers.transport.adapt import adapt
from sensitivenets.erasers.transport.by_source import OfSource, adapt_by_source
from sensitivenets.erasers.transport.grow import grow
from sensitivenets.erasers.transport.passes import HeldRows
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import InputError

D = 12


def population(n, seed, shift=0.0, turn=0.0):
    """Draw two groups that differ in their means and spreads; a source is shifted and turned."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(2, size=n)
    X = rng.normal(size=(n, D)) * np.where(groups[:, None], 1.2, 0.8)
    X[:, 0] += np.where(groups, 2.5, -2.5)
    cos, sin = np.cos(turn), np.sin(turn)
    X[:, :2] = X[:, :2] @ np.array([[cos, sin], [-sin, cos]])
    X[:, 2] += shift
    return X.astype(np.float32), groups


@pytest.fixture(scope="module")
def model():
    X, groups = population(4000, 0)
    return RoutedTransport(n_rounds=1, random_state=0).fit(X, sensitive={"a": groups}).model_


@pytest.fixture(scope="module")
def two_sources():
    """Rows of two sources in mixed order: rows, groups, source of each."""
    parts = [population(3000, 1, shift=3, turn=0.8), population(2000, 2, shift=-3, turn=-0.8)]
    order = np.random.default_rng(3).permutation(5000)
    X, groups = (np.concatenate([part[k] for part in parts])[order] for k in (0, 1))
    source = np.repeat(np.arange(2), [3000, 2000])[order]
    return X, groups, Labels("camera", source, ("left", "right"))


def held(X, size=8192):
    return HeldRows(lambda: (X[k : k + size] for k in range(0, len(X), size)), len(X))


def distance(Z, groups):
    """Return how far the means of the two groups are apart."""
    return float(np.linalg.norm(Z[groups == 1].mean(axis=0) - Z[groups == 0].mean(axis=0)))


def test_groups_of_each_source_are_made_alike_where_one_adaptation_leaves_them_apart(
    model, two_sources
):
    X, groups, source = two_sources
    together = adapt(model, X).map(X)
    each = adapt_by_source(model, held(X), source)
    assert each.sources == ("left", "right")
    assert sum(each.rows) == len(X)
    assert len(each.rows) == 4
    # The map is not told where a row is from.
    Z = each.map(X)
    for code in (0, 1):
        mine = source.codes == code
        assert distance(Z[mine], groups[mine]) < 0.1 * distance(together[mine], groups[mine])


def test_routes_of_a_source_are_those_of_its_rows_alone(model, two_sources):
    X, _, source = two_sources
    each = adapt_by_source(model, held(X), source)
    alone = [adapt(model, X[source.codes == code]) for code in (0, 1)]
    assert each.gained == pytest.approx(min(one.gained for one in alone), abs=1e-4)
    assert each.drift == pytest.approx(0.6 * alone[0].drift + 0.4 * alone[1].drift, abs=1e-6)


def test_rows_of_a_source_are_numbered_as_if_there_were_no_others():
    X = np.arange(20_000, dtype=np.float32)[:, None]
    mine = np.arange(20_000) % 3 == 1
    mine[8192:16_384] = False
    rows = OfSource(held(X, size=977), mine)

    def look(chunks, marks):
        found = [(where, block[:, 0]) for where, block in chunks]
        return found, marks

    found = list(rows.over(look, np.arange(rows.n_rows)))
    np.testing.assert_array_equal(np.concatenate([m for _, m in found]), np.arange(rows.n_rows))
    chunks = [chunk for part, _ in found for chunk in part]
    np.testing.assert_array_equal(np.concatenate([x for _, x in chunks]), X[mine, 0])
    stops = [where.stop for where, _ in chunks]
    assert [where.start for where, _ in chunks] == [0, *stops[:-1]]
    assert stops[-1] == rows.n_rows


def test_a_person_in_two_sources_has_a_route_in_each(model, two_sources):
    X, _, source = two_sources
    subjects = np.arange(len(X)) // 2
    subjects[:10] = -1
    each = adapt_by_source(model, held(X), source, subjects=subjects)
    for code, rows in enumerate((each.rows[:2], each.rows[2:])):
        assert sum(rows) == pytest.approx(np.sum(source.codes == code), rel=0.02)


def test_sources_that_cannot_be_adapted_to_are_named(model, two_sources):
    X, _, source = two_sources
    unknown = Labels("camera", np.where(np.arange(len(X)) < 7, -1, source.codes), source.classes)
    with pytest.raises(InputError, match="camera: expected the source of each row, found 7 of"):
        adapt_by_source(model, held(X), unknown)
    codes = np.zeros(len(X), dtype=np.int64)
    codes[:3] = 1
    with pytest.raises(InputError, match="at least 20 rows of each source, found 3 of 'right'"):
        adapt_by_source(model, held(X), Labels("camera", codes, source.classes))
    with pytest.raises(InputError, match="camera: expected 5000 sources, found 10"):
        adapt_by_source(model, held(X), source.take(np.arange(10)))


def test_a_source_without_the_groups_is_named_and_the_model_kept(model, two_sources):
    X, _, source = two_sources
    noise = np.random.default_rng(0).normal(size=X.shape).astype(np.float32)
    mixed = np.where(source.codes[:, None] == 1, noise, X)
    found = adapt_by_source(model, held(mixed), source)
    assert found.fell_back
    assert any(doubt.startswith("source 'right': the table is unlike") for doubt in found.doubts)
    np.testing.assert_array_equal(found.map(X), model.map(X))
    trusted = adapt_by_source(model, held(mixed), source, trust=True)
    assert not trusted.fell_back
    with pytest.raises(InputError, match="expected a table of one source"):
        grow(model, trusted, X)
