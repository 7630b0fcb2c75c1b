import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensitivenets.erasers.moments.group import GroupMomentStream
from sensitivenets.erasers.moments.pooled import PooledMomentStream
from sensitivenets.errors import InputError


def rows(n=500, d=7, groups=3, offset=0.0, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, groups, n)
    X = rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + codes[:, None] + offset
    return X.astype(np.float32), codes.astype(np.int64)


def test_two_groups_by_hand():
    X = np.array([[0.0, 0.0], [2.0, 2.0], [5.0, 1.0], [9.0, 9.0]])
    moments = GroupMomentStream(2).update(X, np.array([0, 0, 1, -1])).moments()
    assert moments.counts.tolist() == [2, 1]
    np.testing.assert_allclose(moments.means, [[1, 1], [5, 1]])
    np.testing.assert_allclose(moments.scatter, [[[2, 2], [2, 2]], np.zeros((2, 2))], atol=1e-12)
    np.testing.assert_allclose(moments.covariances[0], np.ones((2, 2)), atol=1e-12)
    assert moments.n_rows == 3


@pytest.mark.parametrize("block_rows", [1, 64, 8192])
def test_groups_have_the_moments_that_numpy_computes(block_rows):
    X, codes = rows()
    moments = GroupMomentStream(4, block_rows=block_rows).update(X, codes).moments()
    exact = X.astype(np.float64)
    for group in range(3):
        mine = exact[codes == group]
        assert moments.counts[group] == len(mine)
        np.testing.assert_allclose(moments.means[group], mine.mean(axis=0), atol=1e-5)
        expected = np.cov(mine.T, bias=True)
        np.testing.assert_allclose(moments.covariances[group], expected, atol=1e-4)
    assert moments.counts[3] == 0
    assert not moments.covariances[3].any()


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(2, 498), seed=st.integers(0, 5))
def test_parts_merge_to_the_whole(cut, seed):
    X, codes = rows(seed=seed)
    codes[[0, -1]] = 0
    whole = GroupMomentStream(3).update(X, codes).moments()
    first = GroupMomentStream(3).update(X[:cut], codes[:cut]).moments()
    rest = GroupMomentStream(3).update(X[cut:], codes[cut:]).moments()
    for merged in (first.merge(rest), rest.merge(first)):
        np.testing.assert_array_equal(merged.counts, whole.counts)
        np.testing.assert_allclose(merged.means, whole.means, atol=1e-5)
        np.testing.assert_allclose(merged.scatter, whole.scatter, rtol=1e-4, atol=2e-3)


def test_a_far_mean_costs_no_digits():
    X, codes = rows(offset=0.0)
    near = GroupMomentStream(3).update(X.astype(np.float64), codes).moments()
    far = GroupMomentStream(3).update((X + 1000).astype(np.float32), codes).moments()
    # What is lost is lost in the float32 rows themselves: 6e-5 at 1 000.
    np.testing.assert_allclose(far.scatter, near.scatter, rtol=1e-3, atol=1.0)
    raw = (X + 1000).astype(np.float32)[codes == 0]
    naive = raw.T @ raw - len(raw) * np.outer(raw.mean(axis=0), raw.mean(axis=0))
    worst = np.abs(far.scatter[0] - near.scatter[0]).max()
    assert worst < np.abs(naive - near.scatter[0]).max() / 20


def test_input_is_not_changed_and_memory_does_not_grow():
    X, codes = rows(40_000, 16)
    before = X.copy()
    stream = GroupMomentStream(3, block_rows=512).update(X[:512], codes[:512])
    tracemalloc.start()
    stream.update(X, codes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(X, before)
    assert peak < X.nbytes / 10


def test_pooled_moments_are_those_of_numpy():
    X, codes = rows(20_000)
    other = np.where(codes >= 0, codes % 2, -1)
    pooled = PooledMomentStream(2).update(X, [codes, other]).moments()
    known = codes >= 0
    exact = X[known].astype(np.float64)
    assert pooled.n_rows == pooled.covariance_rows == known.sum()
    np.testing.assert_allclose(pooled.mean, exact.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(pooled.covariance, np.cov(exact.T), atol=1e-4)
    for grouping, column in zip(pooled.groupings, (codes, other), strict=True):
        one_hot = np.eye(len(grouping.counts))[column[known]]
        cross = np.cov(exact.T, one_hot.T)[:7, 7:]
        np.testing.assert_allclose(grouping.cross_covariance(), cross, atol=1e-5)


def test_between_gives_the_canonical_correlations():
    X, codes = rows(800)
    X, codes = X[codes >= 0].astype(np.float64), codes[codes >= 0]
    pooled = PooledMomentStream(1).update(X, [codes]).moments()
    white = np.linalg.cholesky(np.linalg.inv(pooled.covariance * (len(X) - 1) / len(X)))
    found = np.linalg.svd(white.T @ pooled.groupings[0].between(), compute_uv=False)
    # Principal angles between the column spaces of centred rows and centred labels.
    bases = [np.linalg.qr(a - a.mean(axis=0))[0] for a in (X, np.eye(3)[codes][:, :2])]
    expected = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    np.testing.assert_allclose(found[:2], expected, rtol=1e-6)


def test_rows_that_miss_one_label_count_for_the_other():
    X, codes = rows(300)
    other = np.roll(codes, 7)
    pooled = PooledMomentStream(2).update(X, [codes, other]).moments()
    assert pooled.n_rows == ((codes >= 0) | (other >= 0)).sum()
    for grouping, column in zip(pooled.groupings, (codes, other), strict=True):
        means = [X[column == g].mean(axis=0) for g in range(3)]
        np.testing.assert_allclose(grouping.means, means, atol=1e-5)


def test_new_groups_may_come_later():
    X, codes = rows(400)
    order = np.argsort(codes, kind="stable")
    stream = PooledMomentStream(1)
    for part in np.array_split(order, 7):
        stream.update(X[part], [codes[part]])
    together = PooledMomentStream(1).update(X, [codes]).moments()
    np.testing.assert_array_equal(
        stream.moments().groupings[0].counts, together.groupings[0].counts
    )
    np.testing.assert_allclose(stream.moments().covariance, together.covariance, atol=1e-3)


@pytest.mark.parametrize("expected_rows", [0, 60_000])
def test_a_sampled_covariance_is_close_and_the_means_are_exact(expected_rows):
    X, codes = rows(60_000, 6)
    # Sorted by group: the first rows are nothing like the last.
    order = np.argsort(codes, kind="stable")
    X, codes = X[order], codes[order]
    exact = PooledMomentStream(1).update(X, [codes]).moments()
    stream = PooledMomentStream(1, covariance_rows=4000, expected_rows=expected_rows)
    for start in range(0, len(X), 5000):
        stream.update(X[start : start + 5000], [codes[start : start + 5000]])
    sampled = stream.moments()
    assert 3000 < sampled.covariance_rows < (5000 if expected_rows else 18_000)
    np.testing.assert_allclose(sampled.groupings[0].means, exact.groupings[0].means, atol=1e-5)
    np.testing.assert_allclose(sampled.mean, exact.mean, atol=1e-5)
    scale = np.sqrt(np.diag(exact.covariance))
    error = (sampled.covariance - exact.covariance) / np.outer(scale, scale)
    assert np.abs(error).max() < 5 / np.sqrt(4000)
    assert np.linalg.eigvalsh(sampled.covariance).min() > 0


@pytest.mark.parametrize("covariance_rows", [None, 2000, 0])
def test_a_far_mean_costs_the_means_no_digits(covariance_rows):
    X, codes = rows(20_000)
    far = X + np.float32(1000)
    pooled = PooledMomentStream(1, covariance_rows=covariance_rows).update(far, [codes]).moments()
    means = [far[codes == g].mean(axis=0, dtype=np.float64) for g in range(3)]
    # A float32 at 1 000 is 6e-5 wide.
    np.testing.assert_allclose(pooled.groupings[0].means, means, atol=6e-5)
    if covariance_rows is None:
        exact = np.cov(far[codes >= 0].T.astype(np.float64))
        np.testing.assert_allclose(pooled.covariance, exact, atol=1e-3)


def test_no_covariance_if_none_is_wanted():
    X, codes = rows()
    pooled = PooledMomentStream(1, covariance_rows=0).update(X, [codes]).moments()
    assert pooled.covariance.shape == (0, 0)
    assert pooled.covariance_rows == 0


def test_messages():
    X, codes = rows()
    with pytest.raises(InputError, match="no labelled row was added"):
        GroupMomentStream(3).moments()
    with pytest.raises(InputError, match="no labelled row was added"):
        PooledMomentStream(1).update(X, [np.full(500, -1)]).moments()
    with pytest.raises(InputError, match="expected codes below 2, one for each group, found 2"):
        GroupMomentStream(2).update(X, codes)
    with pytest.raises(InputError, match="expected one code for each of 500 rows"):
        GroupMomentStream(3).update(X, codes[:3])
    with pytest.raises(InputError, match="expected 7 features as in the rows before, found 2"):
        GroupMomentStream(3).update(X, codes).update(X[:, :2], codes)
    with pytest.raises(InputError, match="expected codes of 1 groupings, found 2"):
        PooledMomentStream(1).update(X, [codes, codes])
    three = GroupMomentStream(3).update(X, codes).moments()
    four = GroupMomentStream(4).update(X, codes).moments()
    with pytest.raises(InputError, match="expected moments of 3 groups and 7 features"):
        three.merge(four)
