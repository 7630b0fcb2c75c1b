import json
import stat

import numpy as np
import pytest

from sensitivenets.codes import CodeKey, code_of_key, read_codes
from sensitivenets.embeddings import read_table


@pytest.fixture
def key(run, tmp_path):
    assert run("key", "new", tmp_path / "key.json")[0] == 0
    return tmp_path / "key.json"


def test_keys_are_made_rotated_and_shown_without_the_secret(run, key, tmp_path):
    made = CodeKey.load(key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    code, out, err = run("key", "rotate", key, "--out", tmp_path / "new.json", "--json")
    rotated = CodeKey.load(tmp_path / "new.json")
    assert (code, err) == (0, "")
    assert json.loads(out)["key_id"] == rotated.key_id != made.key_id
    assert json.loads(out)["replaces"] == rotated.replaces == made.key_id
    assert CodeKey.load(key) == made
    code, shown, _ = run("key", "show", tmp_path / "new.json")
    assert shown == f"key {rotated.key_id}, replaces {made.key_id}: {tmp_path / 'new.json'}\n"
    assert rotated.secret.hex() not in out + shown


def test_a_key_is_not_overwritten_nor_put_into_a_model_folder(run, key, folder, tmp_path):
    before = key.read_bytes()
    for arguments in (["new", key], ["rotate", key, "--out", key]):
        code, out, err = run("key", *arguments)
        assert (code, out) == (2, "")
        assert "a key is never overwritten" in err
    code, _, err = run("key", "new", folder / "key.json")
    assert code == 2
    assert "inside the model folder" in err
    assert not (folder / "key.json").exists()
    assert key.read_bytes() == before


def test_encode_writes_codes_of_the_key(run, key, tmp_path):
    out = tmp_path / "codes.parquet"
    options = ["--bits", "128", "--scale", "1.25", "--keep", "subject"]
    code, text, err = run("encode", "table.parquet", "--key", key, "--out", out, *options)
    codes, secret = read_codes(out), CodeKey.load(key)
    assert (code, err) == (0, "")
    assert text == f"120 codes of 128 bits at scale 1.25, key {secret.key_id}: {out}\n"
    assert codes.columns.column_names == ["subject"]
    table = read_table("table.parquet")
    expected = code_of_key(secret, codes.parameters).pack(table.vectors)
    np.testing.assert_array_equal(codes.packed, expected)


def test_info_describes_codes_and_encode_refuses_them(run, key, tmp_path):
    out = tmp_path / "codes.parquet"
    run("encode", "table.parquet", "--key", key, "--out", out, "--bits", "128", "--scale", "1.25")
    code, text, err = run("info", out)
    assert (code, err) == (0, "")
    secret = CodeKey.load(key).key_id
    assert text.startswith(f"codes of 128 bits at scale 1.25, key {secret}\n120 rows of 128 feat")
    facts = json.loads(run("info", out, "--json")[1])["codes"]
    assert facts == {"key_id": secret, "n_bits": 128, "scale": 1.25}
    code, text, err = run("encode", out, "--key", key, "--out", tmp_path / "twice.parquet")
    assert (code, text) == (2, "")
    assert err == f"error: {out}: holds codes already; encode the embeddings they were made from\n"
    assert not (tmp_path / "twice.parquet").exists()


def test_encode_through_a_model(run, key, folder, tmp_path):
    out = tmp_path / "codes.parquet"
    code, text, _ = run(
        "encode", "table.parquet", "--key", key, "--out", out, "--model", folder, "--json"
    )
    codes = read_codes(out)
    assert code == 0
    assert json.loads(text)["n_bits"] == codes.parameters.n_bits == 1024
    assert codes.parameters.n_features == 32
    assert len(codes.encoder) == 64
    # The other table did not go through the model: another number of features.
    code, _, err = run(
        "encode", "table.parquet", "--key", key, "--out", tmp_path / "b.parquet", "--like", out
    )
    assert code == 2
    assert "of 64 features" in err
    assert not (tmp_path / "b.parquet").exists()


def test_encode_like_other_codes(run, key, tmp_path):
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    run("encode", "table.parquet", "--key", key, "--out", first, "--bits", "64", "--scale", "2")
    like = ["encode", "table.parquet", "--out", second, "--like", first]
    assert run(*like, "--key", key)[0] == 0
    assert read_codes(first).distances(read_codes(second)).diagonal().sum() == 0
    run("key", "new", tmp_path / "other.json")
    code, out, err = run(*like, "--key", tmp_path / "other.json", "--overwrite")
    assert (code, out) == (2, "")
    assert "codes of two keys cannot be compared" in err
    assert run(*like, "--key", key, "--overwrite", "--bits", "64")[0] == 2


def test_verify_reads_codes(run, key, tmp_path):
    out = tmp_path / "codes.parquet"
    run("encode", "table.parquet", "--key", key, "--out", out, "--scale", "0.75")
    code, text, _ = run("verify", out, "--identity", "subject", "--json")
    assert code == 0
    assert json.loads(text)["auc"]["value"] > 0.9
    code, text, _ = run("verify", out, "--pairs", "pairs.parquet")
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "new.npz"], "codes are written as .parquet"),
        (["--out", "table.parquet"], "already exists; choose another name or add --overwrite"),
        (["--out", "new.parquet", "--bits", "12"], "n_bits: expected a multiple of 8, found 12"),
        (["--out", "new.parquet", "--bits", "0"], "n_bits: expected an integer of at least 8"),
        (["--out", "new.parquet", "--scale", "0"], "scale: expected a number above 0"),
        (["--out", "new.parquet", "--keep", "sex"], "no column 'sex'"),
        (["--out", "new.parquet", "--like", "table.parquet"], "table.parquet: no codes"),
    ],
)
def test_what_encode_refuses(run, place, key, arguments, message):
    before = {entry.name for entry in place.iterdir()}
    code, out, err = run("encode", "table.parquet", "--key", key, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert {entry.name for entry in place.iterdir()} == before


def test_encode_without_a_key_says_how_to_make_one(run, tmp_path):
    code, _, err = run(
        "encode", "table.parquet", "--key", tmp_path / "k.json", "--out", tmp_path / "c.parquet"
    )
    assert code == 2
    assert "make one with `sensitivenets key new`" in err
