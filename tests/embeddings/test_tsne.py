import json

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from sensitivenets.embeddings import encode
from sensitivenets.embeddings.tsne import MapPair, compute_maps
from sensitivenets.errors import InputError


def blobs(n=60, dim=6, seed=0):
    rng = np.random.default_rng(seed)
    gender = encode("gender", np.where(np.arange(n) % 2, "f", "m"))
    group = encode("group", np.arange(n) % 3)
    centres = 8 * rng.normal(size=(6, dim))
    return centres[np.arange(n) % 6] + rng.normal(size=(n, dim)), {"gender": gender, "group": group}


@pytest.fixture(scope="module")
def pair():
    """Maps of 60 rows, before and after, identical and 1e-12 times as large."""
    x, attributes = blobs()
    return compute_maps(x, 1e-12 * x, attributes, random_state=3)


def test_map_keeps_neighbours_and_names_groups():
    x, attributes = blobs(120)
    pair = compute_maps(x, None, attributes, n_rows=90)
    assert pair.before.shape == (90, 2)
    assert trustworthiness(x[pair.rows], pair.before, n_neighbors=5) > 0.9
    assert pair.groups[0] == ("f", "0")
    assert pair.perplexity == pytest.approx(89 / 3)
    for row, code in zip(pair.rows, pair.codes, strict=True):
        assert pair.groups[code] == tuple(a.classes[a.codes[row]] for a in attributes.values())


def test_same_rows_and_seed_give_the_same_map(pair):
    x, attributes = blobs()
    again = compute_maps(x, None, attributes, random_state=3)
    np.testing.assert_array_equal(pair.before, again.before)
    np.testing.assert_array_equal(pair.rows, again.rows)


def test_scale_does_not_matter(pair):
    x, _ = blobs()
    assert trustworthiness(x[pair.rows], pair.after, n_neighbors=5) > 0.9


def test_sample_is_even_over_groups_where_they_allow_it():
    x = np.ones((60, 2))
    rare = encode("rare", np.where(np.arange(60) < 8, "yes", "no"))
    drawn = compute_maps(x, None, {"rare": rare}, n_rows=30).codes
    assert np.bincount(drawn).tolist() == [22, 8]
    drawn = compute_maps(x, None, {"rare": rare}, n_rows=12).codes
    assert np.bincount(drawn).tolist() == [6, 6]


def test_unlabelled_rows_are_not_drawn_and_a_constant_is_one_point():
    x, attributes = blobs()
    attributes["gender"].codes[:10] = -1
    drawn = compute_maps(np.ones_like(x), None, attributes)
    assert drawn.rows.min() >= 10
    assert not drawn.before.any()


def test_json_round_trip(pair):
    back = MapPair.from_dict(json.loads(json.dumps(pair.to_dict())))
    np.testing.assert_allclose(back.after, pair.after, atol=0.0051)
    np.testing.assert_array_equal(back.codes, pair.codes)
    assert (back.groups, back.attributes) == (pair.groups, pair.attributes)


def test_messages(pair):
    x, attributes = blobs()
    with pytest.raises(InputError, match=r"after: expected 60 embeddings, one for each label"):
        compute_maps(x, x[:9], attributes)
    nobody = encode("gender", ["f", "m"] + [None] * 58)
    with pytest.raises(InputError, match=r"at least 10 rows with a label of gender, found 2"):
        compute_maps(x, None, {"gender": nobody})
    written = pair.to_dict()
    for damage, message in (
        ({"codes": [0]}, r"expected 1 points for 1 group codes, found \(60, 2\)"),
        ({"groups": [["f", "0"]]}, "expected group codes below 1"),
        ({"before": "none"}, "expected what compute_maps wrote"),
    ):
        with pytest.raises(InputError, match=message):
            MapPair.from_dict(written | damage)
