"""The folder that ``sensitivenets protect`` makes: on this machine, or in object storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sensitivenets.atomic import atomic_folder, check_parent
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.embeddings.location import Place

TABLE = "table.parquet"
_WRITTEN = {TABLE, "model", "report", "sample.parquet"}


def place_to_make(out: str, *, overwrite: bool) -> Place:
    """Return where the folder goes, unless it cannot be made or its content would be lost.

    Raises
    ------
    InputError
        If it is a file, holds what protect did not write, or must not be replaced.
    """
    from pyarrow import fs

    from sensitivenets.embeddings.location import find_place

    place = find_place(out)
    if place.is_local:
        check_parent(Path(place.path))
    info = place.info()
    if info.type == fs.FileType.NotFound:
        return place
    if info.type != fs.FileType.Directory:
        raise InputError(f"{place.shown}: expected a folder to make, found a file; choose another")
    found = {one.base_name for one in place.filesystem.get_file_info(fs.FileSelector(place.path))}
    if other := sorted(found - _WRITTEN):
        raise InputError(
            f"{place.shown}: expected no folder or one that protect made, found {other[0]!r} in "
            "it, which would be lost; choose another"
        )
    if found and not overwrite:
        raise InputError(f"{place.shown}: already exists; choose another folder or add --overwrite")
    return place


@contextmanager
def folder_made(place: Place) -> Iterator[Path]:
    """Yield a local folder to write to; what is in it is brought to the place in the end.

    On this machine the folder is there whole or not at all. In object storage each file is, and
    the table comes last.
    """
    if place.is_local:
        with atomic_folder(Path(place.path)) as folder:
            yield folder
        return
    with TemporaryDirectory(prefix="sensitivenets-protect-") as name:
        folder = Path(name)
        yield folder
        _bring(folder, place)


def _bring(folder: Path, place: Place) -> None:
    """Copy all files, the table last, and remove those of a former run."""
    from pyarrow import fs

    files = sorted(path for path in folder.rglob("*") if path.is_file())
    files.sort(key=lambda path: path.relative_to(folder) == Path(TABLE))
    there = {place.below(path.relative_to(folder).as_posix()).path: path for path in files}
    for target, path in there.items():
        # Storage without folders takes no notice; a file system needs them.
        place.filesystem.create_dir(target.rpartition("/")[0])
        with place.filesystem.open_output_stream(target) as stream:
            stream.write(path.read_bytes())
    for one in place.filesystem.get_file_info(fs.FileSelector(place.path, recursive=True)):
        if one.is_file and one.path not in there:
            place.filesystem.delete_file(one.path)
