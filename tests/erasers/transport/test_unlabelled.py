"""Rows without labels beside labelled ones, by name: the same as null labels, and for whom."""

import warnings

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import EmbeddingTable, write_table
from sensitivenets.embeddings.fingerprint import table_record
from sensitivenets.erasers.fit_table import fit_table
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.transport.coded_transport import CodedTransport
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import InputError

FACES = synthetic_diveface(n_subjects=600, images_per_subject=3, dim=32, random_state=0)
KNOWN, OTHERS = FACES.where("split", "fit"), FACES.where("split", "attack_train")
SENSITIVE = {"gender": KNOWN.column("gender")}
ERASERS = [
    RoutedTransport(n_rounds=2, random_state=0),
    CodedTransport(n_rounds=1, n_bits=64, random_state=0),
]


@pytest.mark.parametrize("eraser", ERASERS, ids=lambda eraser: type(eraser).__name__)
def test_unlabelled_rows_by_name_are_rows_of_null_labels(eraser):
    by_name = eraser.fit(
        KNOWN.vectors, sensitive=SENSITIVE, unlabelled=OTHERS.vectors
    ).model_.map.arrays()
    nulls = SENSITIVE["gender"].to_pylist() + [None] * len(OTHERS)
    both = np.concatenate([KNOWN.vectors, OTHERS.vectors])
    by_null = eraser.fit(both, sensitive={"gender": nulls}).model_.map.arrays()
    alone = eraser.fit(KNOWN.vectors, sensitive=SENSITIVE).model_.map.arrays()
    assert by_name.keys() == by_null.keys()
    for name, array in by_null.items():
        np.testing.assert_array_equal(by_name[name], array)
    assert any(not np.allclose(alone[name], by_null[name], atol=1e-4) for name in by_null)


def test_unlabelled_rows_are_recorded():
    eraser = ERASERS[0].fit(KNOWN.vectors, sensitive=SENSITIVE, unlabelled=OTHERS.vectors)
    assert (
        dict(eraser.model_.fingerprint).items()
        >= {
            "primary": table_record(KNOWN.vectors),
            "unlabelled": table_record(OTHERS.vectors),
        }.items()
    )


def test_unlabelled_rows_are_read_block_by_block(tmp_path):
    known, others = tmp_path / "known.parquet", tmp_path / "others.parquet"
    write_table(KNOWN, known)
    no_column = pa.table({"row": np.arange(len(OTHERS))})
    write_table(EmbeddingTable(OTHERS.vectors, no_column, "others"), others)
    streamed = fit_table(ERASERS[0], known, sensitive=["gender"], unlabelled=others)
    held = ERASERS[0].fit(KNOWN.vectors, sensitive=SENSITIVE, unlabelled=OTHERS.vectors)
    assert streamed.model_.fingerprint == held.model_.fingerprint
    assert streamed.model_.curve[0]["forecast"]["rows"] == pytest.approx(
        held.model_.curve[0]["forecast"]["rows"], rel=0.02
    )
    apart = streamed.transform(OTHERS.vectors) - held.transform(OTHERS.vectors)
    # Held-out rows are drawn by another order, and with them the router's shrinkage.
    assert np.median(np.linalg.norm(apart, axis=1)) < 0.05


def test_who_learns_nothing_from_them_says_so(tmp_path):
    with pytest.raises(InputError, match="unlabelled: LEACE learns nothing from rows"):
        LEACE().fit(KNOWN.vectors, sensitive=SENSITIVE, unlabelled=OTHERS.vectors)
    write_table(KNOWN, tmp_path / "known.parquet")
    with pytest.raises(InputError, match="unlabelled: LEACE learns nothing from rows"):
        fit_table(
            LEACE(),
            tmp_path / "known.parquet",
            sensitive=["gender"],
            unlabelled=tmp_path / "known.parquet",
        )


def test_rows_of_another_network_are_refused():
    with pytest.raises(InputError, match="unlabelled: expected 32 features as in X, found 8"):
        ERASERS[0].fit(KNOWN.vectors, sensitive=SENSITIVE, unlabelled=OTHERS.vectors[:, :8])


@pytest.fixture(autouse=True)
def few_rows_are_no_matter():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
