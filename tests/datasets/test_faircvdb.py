"""FairCVdb in its published layout, made small; and files that lie."""

import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from sensitivenets.datasets.readers import read_faircvdb
from sensitivenets.errors import InputError


def part_of(part, n, rng):
    profiles = rng.random((n, 51))
    profiles[:, 0], profiles[:, 1], profiles[:, 2] = (np.arange(n) % k for k in (3, 2, 10))
    bios = np.array([[f"she {k}", f"they {k}"] for k in range(n)], dtype=object)
    return {
        f"Profiles {part}": profiles,
        f"Bios {part}": bios,
        f"Names {part}": np.array(["Ann"] * n),
        f"Blind Labels {part}": rng.random(n),
        f"Biased Labels {part} (Gender)": rng.random(n),
        f"Biased Labels {part} (Ethnicity)": rng.random((n, 1)),
        f"Image List {part}": np.array([f"{k}.jpg" for k in range(n)], dtype=object),
    }


@pytest.fixture
def held():
    rng = np.random.default_rng(0)
    return part_of("Train", 12, rng) | part_of("Test", 4, rng)


def saved(folder, held):
    np.save(folder / "FairCVdb.npy", held, allow_pickle=True)
    return folder / "FairCVdb.npy"


def test_profiles_are_read_as_published(tmp_path, held):
    table = read_faircvdb(saved(tmp_path, held))
    assert len(table) == 16
    np.testing.assert_allclose(table.vectors[:12], held["Profiles Train"][:, 11:31], rtol=1e-6)
    found = table.columns.slice(12, 2).to_pylist()[1]
    assert (found["gender"], found["ethnicity"]) == ("Female", "Group 2")
    assert (found["occupation"], found["split"], found["image"]) == ("surgeon", "test", "1.jpg")
    assert (found["bio"], found["bio_blind"]) == ("she 1", "they 1")
    assert found["suitability"] == held["Profiles Test"][1, 3]
    assert found["language_3"] == held["Profiles Test"][1, 10]
    assert found["score_ethnicity_biased"] == held["Biased Labels Test (Ethnicity)"][1, 0]
    np.testing.assert_allclose(found["blind_embedding"], held["Profiles Test"][1, 31:], rtol=1e-6)


def test_the_command_writes_a_table(tmp_path, held, run):
    path = saved(tmp_path, held)
    code, out, _ = run("dataset", "faircvdb", path, "--out", tmp_path / "cv.parquet")
    assert (code, out.splitlines()[0]) == (0, f"16 profiles: {tmp_path / 'cv.parquet'}")
    assert pq.read_schema(tmp_path / "cv.parquet").names[0] == "embedding"
    code, _, err = run(*(
        "dataset",
        "faircvdb",
        path,
        "--out",
        tmp_path / "2.parquet",
        "--embeddings",
        path,
    ))
    assert (code, "has embeddings of its own" in err) == (2, True)


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/never",)


def test_what_would_run_code_is_refused(tmp_path, held, monkeypatch):
    path = saved(tmp_path, held | {"Names Test": Hostile()})
    monkeypatch.setattr(os, "system", lambda _: pytest.fail("ran"))
    with pytest.raises(InputError, match=r"asks for '.*system', which FairCVdb has no use for"):
        read_faircvdb(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"Profiles Test": np.ones((4, 30))}, r"'Profiles Test': expected 51 columns .*\(4, 30\)"),
        ({"Profiles Test": np.ones((4, 51)) * 7}, "gender: expected codes from 0 to 1, found"),
        ({"Blind Labels Train": np.ones(3)}, "a row for each of 12 profiles, found 3"),
    ],
)
def test_arrays_of_another_form_are_named(tmp_path, held, changed, message):
    with pytest.raises(InputError, match=message):
        read_faircvdb(saved(tmp_path, held | changed))


def test_what_is_no_faircvdb_is_refused(tmp_path, held):
    (tmp_path / "x.npy").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match="its Git LFS content, not the pointer"):
        read_faircvdb(tmp_path / "x.npy")
    with pytest.raises(InputError, match="no such file"):
        read_faircvdb(tmp_path / "y.npy")
    del held["Bios Test"]
    with pytest.raises(InputError, match="expected 'Bios Test', found 'Profiles Train'"):
        read_faircvdb(saved(tmp_path, held))
