import errno
import re

import numpy as np
import pytest

from sensitivenets.errors import InputError
from sensitivenets.maps import model_folder, rescue
from sensitivenets.maps.model_folder import load_model


@pytest.fixture
def full(monkeypatch, tmp_path):
    """Let the disk be full in some folders, whichever way the library says it."""
    written = model_folder.save_file

    def fill(error, *folders):
        def save(arrays, path, metadata):
            if any(path.is_relative_to(folder) for folder in folders):
                raise error
            written(arrays, path, metadata)

        monkeypatch.setattr(model_folder, "save_file", save)
        monkeypatch.setattr(rescue.tempfile, "tempdir", str(tmp_path / "tmp"))
        (tmp_path / "tmp").mkdir()

    return fill


NO_SPACE = [
    OSError(errno.ENOSPC, "No space left on device"),
    rescue.SafetensorError("I/O error: No space left on device"),
]


@pytest.mark.parametrize("error", NO_SPACE)
def test_a_model_that_finds_no_room_is_kept_elsewhere(error, full, model, tmp_path):
    full(error, tmp_path / "disk")
    with pytest.raises(InputError, match=r"No space left on device; the model is kept in") as said:
        rescue.save_or_rescue(model, tmp_path / "disk" / "model")
    kept = re.search(r"kept in (\S+): make room, and move it", str(said.value))[1]
    for name, array in model.map.arrays().items():
        np.testing.assert_array_equal(load_model(kept).map.arrays()[name], array)
    assert not list((tmp_path / "disk").iterdir())


def test_where_there_is_no_room_at_all_it_says_so(full, model, tmp_path):
    full(NO_SPACE[0], tmp_path)
    with pytest.raises(InputError, match=r"no room in .*/tmp either: the model is lost"):
        rescue.save_or_rescue(model, tmp_path / "disk" / "model")


def test_what_is_no_matter_of_room_is_said_as_before(model, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").touch()
    with pytest.raises(InputError, match="found mine, which would be lost"):
        rescue.save_or_rescue(model, tmp_path / "model")
