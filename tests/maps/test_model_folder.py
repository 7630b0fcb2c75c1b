import dataclasses
import hashlib
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from sensitivenets.errors import ModelFolderError
from sensitivenets.maps import model_folder
from sensitivenets.maps.model_folder import FORMAT_VERSION, load_model, save_model
from sensitivenets.maps.projection import Projection


@pytest.fixture
def folder(tmp_path, model):
    save_model(model, tmp_path / "model")
    return tmp_path / "model"


def rewrite_config(folder, **changes):
    """Forge a folder: change the configuration and every digest that would give it away."""
    config = json.loads((folder / "config.json").read_text()) | changes
    text = json.dumps(config)
    (folder / "config.json").write_text(text)
    reseal(folder, load_file(folder / "model.safetensors"), text)


def rewrite_weights(folder, arrays):
    config = json.loads((folder / "config.json").read_text())
    config["weights_sha256"] = model_folder.weights_digest(arrays)
    text = json.dumps(config)
    (folder / "config.json").write_text(text)
    reseal(folder, arrays, text)


def reseal(folder, arrays, text):
    seal = {"sensitivenets.config_sha256": hashlib.sha256(text.encode()).hexdigest()}
    save_file(arrays, folder / "model.safetensors", metadata=seal)


def test_a_round_trip_gives_the_same_model(model, folder):
    loaded = load_model(folder)
    np.testing.assert_array_equal(loaded.map.weight, model.map.weight)
    np.testing.assert_array_equal(loaded.map.bias, model.map.bias)
    assert loaded.map.weight.dtype == np.float32
    for name in ("method", "parameters", "removed", "fingerprint", "curve"):
        assert getattr(loaded, name) == getattr(model, name)
    X = np.random.default_rng(2).standard_normal((5, 4)).astype(np.float32)
    np.testing.assert_array_equal(loaded.map(X), model.map(X))


def test_a_map_without_bias_and_not_contiguous_round_trips(model, tmp_path):
    weight = np.arange(12, dtype=np.float32).reshape(3, 4).T
    save_model(dataclasses.replace(model, map=Projection(weight)), tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    np.testing.assert_array_equal(loaded.map.weight, weight)
    assert loaded.map.bias is None


def test_saving_twice_gives_the_same_bytes(model, folder, tmp_path):
    save_model(model, tmp_path / "again")
    for name in ("model.safetensors", "config.json", "README.md"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_folder_holds_three_files_and_none_is_a_pickle(folder):
    assert {f.name for f in folder.iterdir()} == {"model.safetensors", "config.json", "README.md"}
    for file in folder.iterdir():
        with pytest.raises((pickle.UnpicklingError, ValueError, EOFError, KeyError, IndexError)):
            pickle.loads(file.read_bytes())


def test_numpy_values_become_json_and_what_json_lacks_becomes_null(model, tmp_path):
    parameters = {"rate": np.float32(0.5), "layers": np.int64(3), "widths": (1, 2), "x": np.nan}
    save_model(dataclasses.replace(model, parameters=parameters), tmp_path / "m")
    expected = {"rate": 0.5, "layers": 3, "widths": [1, 2], "x": None}
    assert load_model(tmp_path / "m").parameters == expected


def test_loading_needs_no_torch(folder):
    code = (
        "import sys; from sensitivenets.maps.model_folder import load_model; "
        f"load_model({str(folder)!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Destinations


def test_what_exists_is_not_overwritten_unasked(model, folder):
    with pytest.raises(ModelFolderError, match="already there; choose another, or allow overwrit"):
        save_model(model, folder)
    save_model(dataclasses.replace(model, method="Other"), folder, overwrite=True)
    assert load_model(folder).method == "Other"
    assert [entry.name for entry in folder.parent.iterdir()] == ["model"]


def test_a_folder_with_other_files_is_never_overwritten(model, folder):
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(ModelFolderError, match=r"found thesis\.tex, which would be lost"):
        save_model(model, folder, overwrite=True)
    assert (folder / "thesis.tex").read_text() == "years of work"


def test_a_file_is_never_overwritten(model, tmp_path):
    (tmp_path / "m").write_text("x")
    with pytest.raises(ModelFolderError, match="expected a folder to make, found a file"):
        save_model(model, tmp_path / "m", overwrite=True)


def test_an_empty_folder_is_used_and_parents_are_made(model, tmp_path):
    (tmp_path / "empty").mkdir()
    save_model(model, tmp_path / "empty")
    save_model(model, tmp_path / "a" / "b")
    assert load_model(tmp_path / "empty").method == load_model(tmp_path / "a" / "b").method


def test_a_failing_save_leaves_the_old_model_and_nothing_else(model, folder, monkeypatch):
    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_folder, "save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_model(dataclasses.replace(model, method="Other"), folder, overwrite=True)
    assert load_model(folder).method == "SensitiveNet"
    assert [entry.name for entry in folder.parent.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"map": Projection(np.ones((2, 2)))}, "'weight': expected float32, found float64"),
        ({"map": Projection(np.full((2, 2), np.nan, np.float32))}, "NaN or infinite values"),
        ({"map": Projection(np.ones(3, np.float32))}, r"'weight': expected shape \(d, k\)"),
        ({"parameters": {"seed": object()}}, r"parameters\.seed: expected a number.*found object"),
    ],
)
def test_a_model_that_could_not_be_loaded_is_not_saved(model, tmp_path, changes, message):
    with pytest.raises(ModelFolderError, match=message):
        save_model(dataclasses.replace(model, **changes), tmp_path / "m")
    assert not list(tmp_path.iterdir())


# Folders that are refused


def test_missing_folder(tmp_path):
    with pytest.raises(ModelFolderError, match="nowhere: no such folder"):
        load_model(tmp_path / "nowhere")


def test_a_file_is_no_model_folder(tmp_path):
    (tmp_path / "m").write_text("x")
    with pytest.raises(ModelFolderError, match="expected a model folder, found a file"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_files(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelFolderError, match=rf"not a model folder: no {name}; it has README"):
        load_model(folder)


def test_a_garbage_folder_names_some_of_what_it_has(tmp_path):
    for k in range(8):
        (tmp_path / f"{k}.txt").touch()
    with pytest.raises(ModelFolderError, match=r"0\.txt.* and 3 more"):
        load_model(tmp_path)


@pytest.mark.parametrize("keep", [0, 7, 60, -1])
def test_truncated_weights(folder, keep):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ModelFolderError, match=r"model\.safetensors: truncated or damaged"):
        load_model(folder)


@pytest.mark.parametrize("keep", [0, 100, -5])
def test_truncated_configuration(folder, keep):
    config = folder / "config.json"
    config.write_bytes(config.read_bytes()[:keep])
    with pytest.raises(ModelFolderError, match=r"config\.json: truncated or damaged, not JSON"):
        load_model(folder)


def test_a_configuration_nested_too_deep(folder):
    (folder / "config.json").write_text("[" * 200_000)
    with pytest.raises(ModelFolderError, match="truncated or damaged, not JSON"):
        load_model(folder)


def test_any_changed_byte_of_the_weights_is_found(folder):
    weights = folder / "model.safetensors"
    original = weights.read_bytes()
    for position in range(len(original)):
        changed = bytearray(original)
        changed[position] ^= 1
        weights.write_bytes(changed)
        with pytest.raises(ModelFolderError):
            load_model(folder)


def test_changed_weights_are_named(folder):
    weights = folder / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    with pytest.raises(ModelFolderError, match="SHA-256 of the weights is not the one in config"):
        load_model(folder)


def test_a_changed_configuration_is_named(folder):
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"margin": 0.2', '"margin": 0.3'))
    with pytest.raises(ModelFolderError, match=r"config\.json: changed after it was saved"):
        load_model(folder)


def test_the_weights_of_another_model_are_found(model, folder, tmp_path):
    other = dataclasses.replace(model, map=Projection(np.eye(4, dtype=np.float32)))
    save_model(other, tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(folder / "model.safetensors")
    with pytest.raises(ModelFolderError, match="or of another model"):
        load_model(folder)


def test_an_edited_card_is_fine(folder):
    (folder / "README.md").write_text("mine")
    assert load_model(folder).method == "SensitiveNet"


def test_weights_of_another_library(folder):
    save_file({"weight": np.eye(4, dtype=np.float32)}, folder / "model.safetensors")
    with pytest.raises(ModelFolderError, match="a safetensors file of another library"):
        load_model(folder)


@pytest.mark.parametrize("text", ['{"model_type": "bert"}', "[]", "null", '{"library": 3}'])
def test_configuration_of_another_library(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelFolderError, match="not written by this library"):
        load_model(folder)


def test_a_newer_format(folder):
    rewrite_config(folder, format_version=FORMAT_VERSION + 1, library_version="9.0")
    with pytest.raises(
        ModelFolderError,
        match=r"format 2, written by sensitivenets 9\.0; .* formats up to 1; upgrade sensitivenets",
    ):
        load_model(folder)


def test_an_unknown_map(folder):
    rewrite_config(folder, map={"kind": "warp"})
    with pytest.raises(ModelFolderError, match="unknown map 'warp'; expected one of projection"):
        load_model(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": "1"}, "expected 'format_version' of type int, found '1'"),
        ({"curve": None}, "expected 'curve' of type list, found None"),
        ({"map": "projection"}, "expected 'map' of type dict"),
        ({"removed": {"gender": 2}}, "expected 'gender' of type list, found 2"),
    ],
)
def test_a_configuration_of_the_wrong_shape(folder, changes, message):
    rewrite_config(folder, **changes)
    with pytest.raises(ModelFolderError, match=message):
        load_model(folder)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weight": np.eye(4)}, "'weight': expected float32, found float64"),
        ({"weight": np.eye(4, dtype=np.int32)}, "'weight': expected float32, found int32"),
        ({"weight": np.full((4, 3), np.inf, np.float32)}, "'weight': NaN or infinite values"),
        ({"weight": np.ones(4, np.float32)}, r"'weight': expected shape \(d, k\)"),
        (
            {"weight": np.ones((4, 3), np.float32), "bias": np.ones(4, np.float32)},
            r"'bias': expected.* k = 3",
        ),
        ({"kernel": np.ones((4, 3), np.float32)}, "found kernel"),
        ({}, r"expected arrays bias \(optional\), weight; found none"),
    ],
)
def test_weights_of_the_wrong_kind_are_refused_even_if_the_digests_agree(folder, arrays, message):
    rewrite_weights(folder, arrays)
    with pytest.raises(ModelFolderError, match=message):
        load_model(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"curve": [5]},
        {"curve": ["epoch"]},
        {"fingerprint": {"primary": 5}},
        {"parameters": {"margin": float("nan")}},
        {"parameters": {"margin": float("inf")}},
    ],
)
def test_a_configuration_whose_records_are_none(folder, changes):
    rewrite_config(folder, **changes)
    with pytest.raises(ModelFolderError, match=r"damaged"):
        load_model(folder)


def test_a_number_beyond_all_bounds_is_damage(folder):
    text = (folder / "config.json").read_text().replace('"margin": 0.2', '"margin": 1e999')
    (folder / "config.json").write_text(text)
    reseal(folder, load_file(folder / "model.safetensors"), text)
    with pytest.raises(ModelFolderError, match=r"a number that is not finite: 1e999"):
        load_model(folder)


def test_a_configuration_of_gigabytes_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(model_folder, "_LARGEST_CONFIG", 100)
    with pytest.raises(ModelFolderError, match=r"config\.json: expected 100 bytes at most, found"):
        load_model(folder)


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2", "BF16", "F4"])
def test_arrays_of_types_that_numpy_lacks_are_refused(folder, kind):
    text = (folder / "config.json").read_bytes()
    seal = {"sensitivenets.config_sha256": hashlib.sha256(text).hexdigest()}
    size = {"BF16": 8, "F4": 2}.get(kind, 4)
    header = {
        "__metadata__": seal,
        "weight": {"dtype": kind, "shape": [4], "data_offsets": [0, size]},
    }
    content = json.dumps(header).encode()
    whole = len(content).to_bytes(8, "little") + content + bytes(size)
    (folder / "model.safetensors").write_bytes(whole)
    with pytest.raises(ModelFolderError, match=r"model"):
        load_model(folder)


def test_all_files_of_a_folder_may_be_read_by_the_same_people(model, tmp_path):
    before = os.umask(0o022)
    try:
        save_model(model, tmp_path / "model")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()}
    assert set(modes.values()) == {0o644}, modes
