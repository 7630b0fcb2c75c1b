"""A table says which model made it, and an audit finds the rows that the model has seen."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.embeddings import EmbeddingTable, read_table, write_table
from sensitivenets.embeddings.fingerprint import fingerprint
from sensitivenets.errors import InputError
from sensitivenets.maps.base import Model
from sensitivenets.maps.made_by import Maker, Seen, makers_of, rows_seen, signed
from sensitivenets.maps.projection import Projection

HALF = Projection(np.eye(4, 2, dtype=np.float32))
X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
SPLIT = ["fit"] * 18 + ["test"] * 12
TABLE = EmbeddingTable(X, pa.table({"split": SPLIT, "n": list(range(30))}))


def model(**fingerprints):
    return Model(HALF, "LEACE", {}, {"gender": ("f", "m")}, fingerprints)


def seen(table=TABLE, **fingerprints):
    return rows_seen(table, (Maker.of(model(**fingerprints)),))


def test_the_record_survives_the_file_and_whatever_is_done_to_the_columns(tmp_path):
    made = signed(TABLE, model(primary=fingerprint(X)))
    write_table(made.take(np.arange(20)), tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet")
    assert makers_of(read) == (Maker.of(model(primary=fingerprint(X))),)
    assert makers_of(read)[0].fingerprint == {"primary": fingerprint(X)}
    assert makers_of(TABLE) == ()
    assert [one.method for one in makers_of(signed(read, model()))] == ["LEACE", "LEACE"]


def test_what_other_libraries_write_into_the_metadata_is_dropped(tmp_path):
    foreign = TABLE.columns.replace_schema_metadata({b"pandas": b"{}"})
    write_table(EmbeddingTable(X, foreign), tmp_path / "t.parquet")
    assert b"pandas" not in pq.read_schema(tmp_path / "t.parquet").metadata


def test_a_damaged_record_is_refused():
    columns = TABLE.columns.replace_schema_metadata({b"sensitivenets.made_by": b"[1]"})
    with pytest.raises(InputError, match="damaged record of the model"):
        makers_of(EmbeddingTable(X, columns))


def test_rows_are_found_by_the_whole_table_or_by_a_value_of_a_column():
    assert seen(primary=fingerprint(X)) == (Seen(None, None, ("gender",)),)
    assert seen(X, primary=fingerprint(X)) == (Seen(None, None, ("gender",)),)
    assert seen(primary=fingerprint(X[:18])) == (Seen("split", "fit", ("gender",)),)
    assert seen(primary=fingerprint(X[:17])) == ()


def test_whose_labels_were_used_is_known():
    adapted = fingerprint(X)
    assert seen(adapted=adapted) == (Seen(None, None, ()),)
    assert seen(adapted=fingerprint(X[1:]), **{"reference primary": adapted})[0].labels == (
        "gender",
    )
    assert seen(unlabelled=adapted)[0].labels == ()
    # With a detector set the attributes came from there.
    assert seen(primary=fingerprint(X), detector=fingerprint(X[1:]))[0].labels == ()
    assert seen(primary=fingerprint(X[1:]), detector=fingerprint(X))[0].labels == ("gender",)
