import dataclasses
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.codes import (
    CodeKey,
    CodeParameters,
    CodeTable,
    code_of_key,
    encode_table,
    is_code_file,
    read_codes,
    write_codes,
)
from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import EmbeddingTable, write_table
from sensitivenets.errors import InputError
from sensitivenets.verification import verify
from sensitivenets.verification.drawn_pairs import draw_pairs

PARAMETERS = CodeParameters(4, 64, 1.5)


@pytest.fixture
def codes(table):
    return encode_table(table, CodeKey.from_seed(0), PARAMETERS)


@pytest.fixture
def saved(codes, tmp_path):
    path = tmp_path / "codes.parquet"
    write_codes(codes, path)
    return path


def with_metadata(path, **changes):
    arrow = pq.read_table(path)
    about = json.loads(arrow.schema.metadata[b"sensitivenets.code"]) | changes
    about = {name: value for name, value in about.items() if value is not ...}
    metadata = {b"sensitivenets.code": json.dumps(about).encode()}
    pq.write_table(arrow.replace_schema_metadata(metadata), path)


def test_encoding_keeps_the_labels_and_names_the_key(table, codes):
    expected = code_of_key(CodeKey.from_seed(0), PARAMETERS).pack(table.vectors)
    np.testing.assert_array_equal(codes.packed, expected)
    assert codes.columns.equals(table.columns)
    assert codes.key_id == CodeKey.from_seed(0).key_id
    assert len(codes) == len(table)


def test_codes_of_one_key_are_compared(codes):
    part = codes.take(np.array([2, 5]))
    distances = part.distances(codes)
    assert distances[0, 2] == distances[1, 5] == 0
    rows, nearest = part.nearest(codes)
    assert rows.ravel().tolist() == [2, 5]
    assert nearest.ravel().tolist() == [0, 0]
    pairs = part.pair_distances(codes, np.array([0, 1]), np.array([5, 2]))
    assert pairs.tolist() == [distances[0, 5], distances[1, 2]]


def test_codes_of_two_keys_are_not_compared(table, codes):
    other = encode_table(table, CodeKey.from_seed(1), PARAMETERS)
    zero = np.array([0])
    for compare in (
        lambda: codes.distances(other),
        lambda: codes.nearest(other),
        lambda: codes.pair_distances(other, zero, zero),
    ):
        with pytest.raises(InputError, match="codes of two keys cannot be compared") as caught:
            compare()
        assert codes.key_id in str(caught.value)
        assert other.key_id in str(caught.value)


@pytest.mark.parametrize(
    "parameters", [CodeParameters(4, 64, 1.25), CodeParameters(4, 128, 1.5)], ids=str
)
def test_codes_of_other_parameters_are_not_compared(table, codes, parameters):
    other = encode_table(table, CodeKey.from_seed(0), parameters)
    with pytest.raises(InputError, match=r"64 bits at scale 1.5 .* cannot be compared"):
        codes.distances(other)


def test_codes_through_other_models_are_not_compared(table, codes):
    other = encode_table(table, CodeKey.from_seed(0), PARAMETERS, encoder="ab")
    with pytest.raises(InputError, match="went through different models"):
        codes.distances(other)


def test_embeddings_of_another_network_are_not_encoded(table):
    with pytest.raises(InputError, match="expected embeddings of 5 features, found 4"):
        encode_table(table, CodeKey.from_seed(0), CodeParameters(5, 64))


def test_verification_on_codes_is_verification_on_hamming_distances():
    table = synthetic_diveface(40, 3, dim=32)
    codes = encode_table(table, CodeKey.from_seed(0), CodeParameters(32, 256, 1.0))
    pairs = draw_pairs(table.labels("subject"), 60, 2)
    result = verify(codes.as_embeddings(), pairs, n_bootstrap=10)
    share = codes.pair_distances(codes, pairs.left, pairs.right) / 256
    order = np.subtract.outer(share[pairs.same], share[~pairs.same])
    assert result.auc.value == pytest.approx(np.mean(order < 0) + np.mean(order == 0) / 2)


def test_writing_and_reading_gives_the_codes_back(codes, saved):
    back = read_codes(saved)
    np.testing.assert_array_equal(back.packed, codes.packed)
    assert back.columns.equals(codes.columns)
    assert (back.key_id, back.parameters, back.encoder) == (codes.key_id, PARAMETERS, None)
    assert back.source == str(saved)
    back.require_comparable(codes)


def test_a_part_of_a_table_is_written_as_such(codes, tmp_path):
    part = codes.take(np.arange(12) % 5 == 1)
    write_codes(part, tmp_path / "part.parquet")
    np.testing.assert_array_equal(read_codes(tmp_path / "part.parquet").packed, part.packed)


def test_the_file_holds_the_id_and_not_the_secret(saved):
    key = CodeKey.from_seed(0)
    content = saved.read_bytes()
    assert key.key_id.encode() in content
    assert key.secret not in content
    assert key.secret.hex().encode() not in content


def test_files_of_codes_are_told_from_others(table, saved, tmp_path):
    write_table(table, tmp_path / "table.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    assert is_code_file(saved)
    for other in ("table.parquet", "broken.parquet", "missing.parquet"):
        assert not is_code_file(tmp_path / other)
    with pytest.raises(InputError, match=r"no codes: .* make codes with `sensitivenets encode`"):
        read_codes(tmp_path / "table.parquet")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "codes of format 2; .* upgrade sensitivenets"),
        ({"format_version": None}, "codes of format None"),
        ({"key_id": ...}, "damaged description of the codes: 'key_id'"),
        ({"key_id": "x" * 16}, "expected the id of a key"),
        ({"n_bits": 128}, "expected 16 bytes in each row, found fixed_size_binary"),
        ({"n_bits": -8}, "damaged description .* n_bits: expected an integer"),
        ({"n_bits": 10**15}, "expected 125000000000000 bytes in each row"),
        ({"scale": "wide"}, "damaged description .* scale: expected a number"),
        ({"n_features": 0}, "damaged description .* n_features"),
        ({"encoder": [1]}, "damaged description .* encoder"),
    ],
)
def test_a_damaged_description_is_refused(saved, changes, message):
    with_metadata(saved, **changes)
    with pytest.raises(InputError, match=message):
        read_codes(saved)


@pytest.mark.parametrize("text", [b"", b"[1]", b"{", b"[" * 100_000, b"\xff"])
def test_a_description_that_is_no_record_is_refused(saved, text):
    metadata = {b"sensitivenets.code": text}
    pq.write_table(pq.read_table(saved).replace_schema_metadata(metadata), saved)
    with pytest.raises(InputError, match=r"damaged description|codes of format"):
        read_codes(saved)


@pytest.mark.parametrize("position", [0.02, 0.5, 0.98])
def test_a_cut_or_changed_file_is_refused_or_unchanged_in_meaning(saved, codes, position):
    content = bytearray(saved.read_bytes())
    at = int(position * len(content))
    saved.write_bytes(content[:at])
    with pytest.raises(InputError, match="cannot be read as"):
        read_codes(saved)
    content[at] ^= 0xFF
    saved.write_bytes(content)
    try:
        back = read_codes(saved)
    except InputError:
        return
    np.testing.assert_array_equal(back.packed, codes.packed)


def test_columns_that_are_no_codes_are_refused(saved):
    arrow = pq.read_table(saved)
    nulls = pa.array([None] * 12, pa.binary(8))
    for column, message in ((nulls, "12 nulls"), (pa.array(range(12)), "found int64")):
        changed = arrow.set_column(0, "code", column)
        pq.write_table(changed, saved)
        with pytest.raises(InputError, match=message):
            read_codes(saved)
    pq.write_table(arrow.drop_columns(["code"]), saved)
    with pytest.raises(InputError, match="expected one column 'code', found 0"):
        read_codes(saved)


def test_an_empty_table_of_codes_is_refused(saved):
    pq.write_table(pq.read_table(saved).slice(0, 0), saved)
    with pytest.raises(InputError, match="expected at least one code, found none"):
        read_codes(saved)


def test_where_codes_cannot_be_written(codes, tmp_path):
    with pytest.raises(InputError, match=r"codes are written as \.parquet"):
        write_codes(codes, tmp_path / "codes.npz")
    clash = dataclasses.replace(codes, columns=pa.table({"code": range(12)}))
    with pytest.raises(InputError, match="a label column is named 'code'"):
        write_codes(clash, tmp_path / "codes.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"packed": np.zeros((12, 7), dtype=np.uint8)}, "expected codes of 8 bytes"),
        ({"packed": np.zeros((12, 8))}, "found float64"),
        ({"packed": np.zeros((11, 8), dtype=np.uint8)}, "one label row for each of 11 codes"),
        ({"key_id": "../../secret"}, "expected the id of a key"),
    ],
)
def test_tables_that_do_not_fit_are_refused(codes, changes, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(codes, **changes)


def test_label_columns_may_be_missing():
    vectors = np.eye(4, dtype=np.float32)
    codes = encode_table(EmbeddingTable(vectors, pa.table({})), CodeKey.from_seed(0), PARAMETERS)
    assert isinstance(codes, CodeTable)
    assert codes.as_embeddings().dim == 64


def test_a_single_bit_of_a_code_that_changed_on_the_way_is_noticed(saved, codes):
    content = bytearray(saved.read_bytes())
    content[content.index(codes.packed[3].tobytes())] ^= 1
    saved.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as"):
        read_codes(saved)


def test_a_file_that_is_read_in_several_parts_has_its_rows_in_order(tmp_path):
    packed = np.random.default_rng(0).integers(256, size=(300_000, 1), dtype=np.uint8)
    many = CodeTable(packed, pa.table({}), "0" * 16, CodeParameters(4, 8, 1.5))
    write_codes(many, tmp_path / "many.parquet")
    assert pq.read_table(tmp_path / "many.parquet")["code"].num_chunks > 1
    np.testing.assert_array_equal(read_codes(tmp_path / "many.parquet").packed, packed)
