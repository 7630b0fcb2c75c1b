"""Protecting a table without labels of its own: what is hidden, from whom, and what is said."""

import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

import sensitivenets
from sensitivenets import synthetic_diveface
from sensitivenets.embeddings import canonical_values
from sensitivenets.embeddings.fingerprint import fingerprint, is_among
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import FewRowsWarning, InputError
from sensitivenets.tradeoff.labelled_sample import ROW, draw_sample, with_sample

# What is done to the table is chosen in test_rehearsal.py.
protect = partial(sensitivenets.protect, utility_budget=None)
FACES = synthetic_diveface(n_subjects=1500, images_per_subject=3, dim=32, random_state=0)
KNOWN, MINE = FACES.where("split", "fit"), FACES.where("split", "attack_train")
UNLABELLED = replace(MINE, columns=MINE.columns.drop_columns(["gender", "ethnicity"]))


@pytest.fixture(scope="module")
def protected():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return protect(
            UNLABELLED, KNOWN, remove=["gender"], identity="subject", quick=True, n_jobs=1
        )


def linear_reader(vectors):
    """Share that a reader of the true labels, which `protect` never saw, is right on others."""
    codes = MINE.labels("gender").codes
    half = len(codes) // 2
    return (
        LogisticRegression().fit(vectors[:half], codes[:half]).score(vectors[half:], codes[half:])
    )


def test_a_table_without_a_label_is_hidden_from_who_has_them(protected):
    assert linear_reader(UNLABELLED.vectors) > 0.75
    assert linear_reader(protected.table.vectors) < 0.6


def test_labels_that_are_routes_are_called_estimated(protected):
    (attribute,) = protected.audit.attributes
    assert attribute.name == "gender (estimated labels)"
    assert protected.unlabelled == ("gender",)


def test_the_record_names_the_table_and_the_reference(protected):
    recorded = protected.model.fingerprint
    assert is_among(fingerprint(UNLABELLED.vectors), {"table": recorded["adapted"]})
    assert is_among(fingerprint(KNOWN.vectors), {"table": recorded["reference primary"]})


def test_the_reference_does_not_warn_of_its_own_people():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        protect(UNLABELLED, KNOWN.take(np.arange(900)), remove="gender", quick=True, n_jobs=1)
    assert not [one for one in caught if issubclass(one.category, FewRowsWarning)]


def test_no_route_is_kept(protected):
    assert "gender" not in protected.table.columns.column_names
    kept = {len(value) for value in protected.adapted.record().values() if isinstance(value, tuple)}
    assert max(kept) < len(UNLABELLED)


def test_the_digits_of_what_is_written_tell_nothing(protected):
    vectors = protected.table.vectors
    np.testing.assert_array_equal(vectors, canonical_values(vectors))
    assert not np.array_equal(vectors, protected.model.map(UNLABELLED.vectors))


def test_true_labels_are_for_the_attackers_alone():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labelled = protect(MINE, KNOWN, remove="gender", quick=True, n_jobs=1)
        shuffled = np.random.default_rng(0).permutation(MINE.column("gender").to_pylist())
        columns = MINE.columns.drop_columns(["gender"]).append_column("gender", pa.array(shuffled))
        wrong = protect(
            replace(MINE, columns=columns), KNOWN, remove="gender", quick=True, n_jobs=1
        )
    np.testing.assert_array_equal(labelled.table.vectors, wrong.table.vectors)
    assert labelled.audit.attributes[0].name == "gender"
    assert "gender" not in labelled.table.columns.column_names


def test_a_labelled_sample_is_what_attackers_are_tested_on():
    sample = draw_sample(MINE, 120, random_state=1)
    assert sample.column(ROW).to_pylist() == sorted(set(sample.column(ROW).to_pylist()))
    table = with_sample(UNLABELLED, sample, ["gender"])
    assert table.labels("gender").labelled.sum() == 120
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = protect(table, KNOWN, remove="gender", identity="subject", quick=True, n_jobs=1)
    assert found.audit.attributes[0].name == "gender (labelled sample)"
    assert found.audit.split.n_test == 120


def test_a_sample_of_another_table_is_refused():
    other = FACES.where("split", "attack_test")
    with pytest.raises(InputError, match="its rows are not those of"):
        with_sample(UNLABELLED, draw_sample(other, 20), ["gender"])


def test_a_model_stands_in_for_the_reference():
    eraser = RoutedTransport(n_rounds=1, random_state=0)
    fitted = eraser.fit(KNOWN.vectors, sensitive={"gender": KNOWN.column("gender")}).model_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = protect(UNLABELLED, fitted, remove="gender", quick=True, n_jobs=1)
    assert linear_reader(found.table.vectors) < 0.6
    with pytest.raises(InputError, match="expected a model that removes 'ethnicity'"):
        protect(UNLABELLED, fitted, remove="ethnicity")


def test_the_identity_is_not_removed():
    with pytest.raises(InputError, match="'subject' is the identity"):
        protect(UNLABELLED, KNOWN, remove="subject", identity="subject")
