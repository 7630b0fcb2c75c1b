import json
import os
import pickle
import stat

import pytest

from sensitivenets.codes import CodeKey
from sensitivenets.errors import InputError
from sensitivenets.maps.model_folder import save_model


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "key.json"
    CodeKey.from_seed(1).save(path)
    return path


def changed(path, **fields):
    record = json.loads(path.read_text()) | fields
    path.write_text(json.dumps(record))
    return record


def test_generated_keys_differ_and_seeded_ones_repeat():
    assert CodeKey.generate() != CodeKey.generate()
    assert CodeKey.from_seed(3) == CodeKey.from_seed(3) != CodeKey.from_seed(4)


def test_the_id_of_a_key_never_changes():
    # Codes on disk name this id: another one would orphan them.
    assert CodeKey(bytes(range(32))).key_id == "972138ad85132228"


def test_what_is_shown_does_not_hold_the_secret(saved):
    key = CodeKey.load(saved)
    assert key.secret.hex() not in repr(key)
    assert key.key_id not in key.secret.hex()
    assert repr(key.secret)[2:-1] not in repr(key)


def test_a_key_is_not_pickled():
    with pytest.raises(TypeError, match="not pickled; save it to a file of its own"):
        pickle.dumps(CodeKey.generate())


def test_purposes_give_unrelated_bytes():
    key = CodeKey.from_seed(0)
    assert key.derive("a") != key.derive("b") != CodeKey.from_seed(1).derive("b")
    assert key.derive("a") == key.derive("a")


def test_saving_and_loading_gives_the_key_back(tmp_path):
    key = CodeKey.generate().rotate()
    key.save(tmp_path / "deep" / "key.json")
    assert CodeKey.load(tmp_path / "deep" / "key.json") == key
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["key.json"]


def test_only_the_owner_may_read_the_file_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        CodeKey.generate().save(tmp_path / "key.json")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key.json").stat().st_mode) == 0o600


def test_a_key_that_others_may_read_is_refused(saved):
    saved.chmod(0o640)
    with pytest.raises(InputError, match=r"others may read is no secret \(mode 0640\); run `chmod"):
        CodeKey.load(saved)


def test_a_key_is_never_overwritten(saved):
    before = saved.read_bytes()
    with pytest.raises(InputError, match="a key is never overwritten"):
        CodeKey.generate().save(saved)
    assert saved.read_bytes() == before


def test_a_key_is_not_saved_in_a_model_folder_through_a_link(tmp_path, model):
    save_model(model, tmp_path / "model")
    (tmp_path / "link").symlink_to(tmp_path / "model")
    (tmp_path / "keys").symlink_to(tmp_path / "model" / "deep", target_is_directory=True)
    for place in ("link/key.json", "link/new/key.json", "keys/key.json"):
        with pytest.raises(InputError, match=r"inside the model folder|cannot be made"):
            CodeKey.generate().save(tmp_path / place)
    assert len(list((tmp_path / "model").iterdir())) == 3


@pytest.mark.parametrize("place", ["key.json", "deep/er/key.json"])
def test_a_key_is_not_saved_in_a_model_folder(tmp_path, model, place):
    save_model(model, tmp_path / "model")
    with pytest.raises(InputError, match=r"inside the model folder .*keep the key elsewhere"):
        CodeKey.generate().save(tmp_path / "model" / place)
    CodeKey.generate().save(tmp_path / "key.json")


def test_a_rotated_key_is_new_and_remembers_the_old_one():
    old = CodeKey.generate()
    new = old.rotate()
    assert new.secret != old.secret
    assert new.replaces == old.key_id
    assert new.rotate().replaces == new.key_id


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"secret": "00" * 32}, "its secret does not belong to its id"),
        ({"key_id": "0" * 16}, "its secret does not belong to its id '0000000000000000'"),
        ({"secret": "00" * 31}, "damaged key"),
        ({"secret": "zz" * 32}, "damaged key"),
        ({"secret": 7}, "damaged key"),
        ({"secret": None}, "damaged key"),
        ({"replaces": "../etc"}, "damaged key"),
        ({"replaces": 3}, "damaged key"),
        ({"format_version": 2}, "key of format 2; .* upgrade sensitivenets"),
        ({"format_version": "1"}, "key of format '1'"),
        ({"kind": "model"}, "expected a key file"),
    ],
)
def test_damaged_and_foreign_key_files_are_refused(saved, fields, message):
    secret = json.loads(saved.read_text())["secret"]
    changed(saved, **fields)
    with pytest.raises(InputError, match=message) as caught:
        CodeKey.load(saved)
    assert secret not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 4000])
def test_what_is_no_key_file_is_refused(saved, content):
    saved.write_bytes(content)
    with pytest.raises(InputError, match=r"key\.json: (no key file|expected a key file)"):
        CodeKey.load(saved)


def test_a_large_file_is_not_read(saved):
    saved.write_bytes(b" " * 5000)
    with pytest.raises(InputError, match="expected a key file, found 5000 bytes"):
        CodeKey.load(saved)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match="no such key file; make one with `sensitivenets key new`"):
        CodeKey.load(tmp_path / "key.json")


@pytest.mark.parametrize("secret", [b"short", "0" * 32, None])
def test_a_secret_is_32_bytes(secret):
    with pytest.raises(InputError, match="expected a secret of 32 bytes"):
        CodeKey(secret)


def test_a_key_is_not_written_through_a_link_that_leads_nowhere_yet(tmp_path):
    link = tmp_path / "key.json"
    link.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(InputError, match="already exists; a key is never overwritten"):
        CodeKey.from_seed(0).save(link)
    assert not (tmp_path / "elsewhere.json").exists()
