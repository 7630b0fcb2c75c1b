"""Where a table lies: a file, a folder of parts, a glob or a URL becomes a list of files."""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit, urlunsplit

import pyarrow as pa
from pyarrow import fs

from sensitivenets.connectors.postgres import is_postgres_url, parse_postgres
from sensitivenets.errors import InputError, did_you_mean

#: The kind of a part that is a table of a database.
POSTGRES = "PostgreSQL"
_MAGIC = re.compile(r"[*?\\[]")
# Below one folder; a table of a billion rows has some thousand parts.
_MOST_FILES = 200_000
# How Hive writes a missing key.
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
# What people have that is read by other programs, and the way here.
_OTHER_KINDS = {
    ".pt": "load it with torch and save the tensor with safetensors.torch.save_file",
    ".pth": "load it with torch and save the tensor with safetensors.torch.save_file",
    ".pkl": "a pickle runs code when it is opened: write the table as .parquet",
    ".pickle": "a pickle runs code when it is opened: write the table as .parquet",
    ".mat": "load it with scipy.io.loadmat and write it with numpy.savez",
    ".h5": "load it with h5py and write it with numpy.savez",
    ".hdf5": "load it with h5py and write it with numpy.savez",
    ".xlsx": "save it as .csv",
}


@dataclass(frozen=True)
class Part:
    """One file of a table, or a whole table of a database.

    Attributes
    ----------
    name : str
        For messages: the path or URL, without keys or options.
    path : str
        Within `filesystem`; the URL of a database.
    filesystem : pyarrow.fs.FileSystem or None
        Local, S3, GCS or another that pyarrow knows; None for a database.
    suffix : str
        What kind of file it is, such as ``".parquet"``; ``"PostgreSQL"`` for a database.
    relative : str
        Path below the folder that was named; the name of the file where a file was.
    keys : dict of str to str or None
        Hive partitions: ``year=2024/`` in its path is the column ``year``.
    """

    name: str
    # The URL of a database may hold a password.
    path: str = field(repr=False)
    filesystem: fs.FileSystem
    suffix: str
    relative: str
    keys: dict[str, str | None] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine's own file system."""
        return isinstance(self.filesystem, fs.LocalFileSystem)


@dataclass(frozen=True)
class Place:
    """A path within a file system.

    Attributes
    ----------
    shown : str
        For messages, without keys or options.
    filesystem : pyarrow.fs.FileSystem
        Where `path` is looked up.
    path : str
        May be a glob.
    """

    shown: str
    filesystem: fs.FileSystem
    path: str

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine's own file system."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def info(self, path: str | None = None) -> fs.FileInfo:
        """Tell what there is at the place.

        Raises
        ------
        InputError
            If the file system cannot be asked.
        """
        try:
            return self.filesystem.get_file_info(self.path if path is None else path)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.shown}: cannot be reached: {_first_line(error)}") from error

    def below(self, relative: str) -> Place:
        """Return a path below the folder."""
        shown = f"{self.shown.rstrip('/')}/{relative}"
        return Place(shown, self.filesystem, f"{self.path.rstrip('/')}/{relative}")

    def files_below(self, folder: str) -> list[str]:
        """List all files below a folder, in the order of their names.

        Raises
        ------
        InputError
            If the file system cannot be asked, or there are far more files than a table has.
        """
        if self.is_local:
            return sorted(self._local_files(folder))
        try:
            found = self.filesystem.get_file_info(fs.FileSelector(folder, recursive=True))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.shown}: cannot be listed: {_first_line(error)}") from error
        return sorted(one.path for one in found if one.type == fs.FileType.File)

    def _local_files(self, folder: str) -> Iterator[str]:
        """Yield files below a local folder; Arrow would list a whole disk before it is asked."""
        seen = 0
        for parent, folders, files in os.walk(folder, onerror=self._not_listed):
            seen += len(folders) + len(files)
            if seen > _MOST_FILES:
                raise InputError(
                    f"{self.shown}: more than {_MOST_FILES} files are below it; name the folder "
                    "of one table"
                )
            for name in files:
                path = f"{parent.rstrip('/')}/{name}"
                if not _is_text(path):
                    raise InputError(
                        f"{self.shown}: the name of a file in it is no UTF-8; rename it, or name "
                        "the files"
                    )
                if Path(path).is_file():
                    yield path

    def _not_listed(self, error: OSError) -> None:
        raise InputError(f"{self.shown}: cannot be listed: {error.strerror}") from error


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def find_place(where: str | Path) -> Place:
    """Take a path or URL apart.

    Parameters
    ----------
    where : str or Path
        A path, or a URL such as ``s3://bucket/folder?region=eu-west-1``: behind the ``?`` are the
        options of `pyarrow.fs.FileSystem.from_uri`. Keys come from where they always do (the
        environment, a profile, the machine's role).

    Returns
    -------
    Place

    Raises
    ------
    InputError
        If the URL is of no kind that pyarrow knows, or the name is no text.
    """
    text = str(where)
    if not _is_text(text):
        raise InputError(f"{text}: the name is no UTF-8; rename the file")
    if "://" not in text:
        if re.match(r"(s3|gs|gcs|file|postgres(ql)?):/[^/]", text):
            raise InputError(
                f"{text}: a Path swallowed a slash of the URL; give it as text, with ://"
            )
        # Workers may stand in another folder.
        return Place(text, fs.LocalFileSystem(), str(Path(text).absolute()))
    if is_postgres_url(text):
        raise InputError(
            f"{parse_postgres(text).shown}: expected a file or a folder, found a table of a "
            "database, of which a column may be filled: transform --to"
        )
    # Not urlsplit: to it, the ? of a glob and the ? of options are one.
    address, _, options = text.partition("?")
    glob = _MAGIC.search(address)
    root = address if glob is None else address[: address.rindex("/", 0, glob.start()) + 1]
    parts = urlsplit(address)
    shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    uri = root.rstrip("/") + (f"?{options}" if options else "")
    try:
        filesystem, path = fs.FileSystem.from_uri(uri)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(
            f"{shown}: cannot be reached: {_first_line(error)}; expected a path, or a URL such as "
            "s3://bucket/folder, gs://bucket/folder or file:///folder"
        ) from error
    if glob is not None:
        path = f"{path.rstrip('/')}/{address[len(root) :]}"
    return Place(shown, filesystem, path)


def find_parts(where: str | Path, suffixes: Collection[str]) -> tuple[Part, ...]:
    """Find the files of a table.

    Parameters
    ----------
    where : str or Path
        A file; a folder, of which every file below with a known suffix is a part, but for names
        that begin with ``.`` or ``_``; a folder that Hugging Face `datasets` saved; a glob, in
        which ``*`` stays within a folder and ``**`` does not; or a URL of any of these.
    suffixes : collection of str
        Kinds of file that can be read.

    Returns
    -------
    tuple of Part
        In the order of their paths, or in that of the saved data set.

    Raises
    ------
    InputError
        If nothing is there, or nothing that can be read.
    """
    if is_postgres_url(str(where)):
        table = parse_postgres(str(where))
        return (Part(table.shown, str(where), None, POSTGRES, table.path[-1]),)
    place = find_place(where)
    info = place.info()
    if info.type == fs.FileType.NotFound:
        if _MAGIC.search(place.path):
            return _parts_of_glob(place, suffixes)
        raise InputError(f"{place.shown}: no such file or folder{_near(place)}")
    if info.type == fs.FileType.File:
        return (_part(place, place.path, _folder_of(place.path), suffixes),)
    return _parts_of_folder(place, suffixes)


def _near(place: Place) -> str:
    """Ask whether a neighbour was meant; a bucket is not listed for that."""
    if not place.is_local:
        return ""
    folder = Path(place.path).parent
    if not folder.is_dir():
        return f"; there is no folder {str(folder)!r} either"
    known = sorted(one.name for one in folder.iterdir())
    question = did_you_mean(Path(place.path).name, known).rstrip()
    return f"; {question}" if question else ""


def _parts_of_folder(place: Place, suffixes: Collection[str]) -> tuple[Part, ...]:
    files = place.files_below(place.path)
    names = {_relative(path, place.path) for path in files}
    if "state.json" in names:
        files = _saved_dataset(place)
    elif "dataset_dict.json" in names:
        splits = sorted({name.partition("/")[0] for name in names if "/" in name})
        raise InputError(
            f"{place.shown}: a data set of several splits; name one, such as "
            f"{place.shown.rstrip('/')}/{splits[0] if splits else 'train'} "
            f"(it has {', '.join(splits) or 'none'})"
        )
    elif {"config.json", "model.safetensors"} <= names:
        raise InputError(
            f"{place.shown}: this is a model folder; expected a table of embeddings, as "
            f"`sensitivenets transform {place.shown} TABLE` makes one"
        )
    return _parts_of(place, files, place.path, suffixes)


def _parts_of_glob(place: Place, suffixes: Collection[str]) -> tuple[Part, ...]:
    found = _MAGIC.search(place.path)
    assert found is not None
    fixed = place.path[: found.start()]
    root = _folder_of(fixed) or "/"
    if place.info(root).type != fs.FileType.Directory:
        raise InputError(f"{place.shown}: no folder {root!r} to look in")
    pattern = _glob_pattern(place.path)
    files = [path for path in place.files_below(root) if pattern.fullmatch(path)]
    if not files:
        raise InputError(f"{place.shown}: no file matches; put the pattern in quotes")
    return _parts_of(place, files, root, suffixes)


def _parts_of(
    place: Place, files: list[str], root: str, suffixes: Collection[str]
) -> tuple[Part, ...]:
    seen = [path for path in files if not _is_hidden(_relative(path, root))]
    known = [path for path in seen if PurePosixPath(path).suffix.lower() in suffixes]
    # Labels beside an array belong to it, and are no table of their own.
    arrays = {path.rpartition(".")[0] for path in known if path.endswith((".npy", ".safetensors"))}
    known = [p for p in known if not (p.endswith(".csv") and p.rpartition(".")[0] in arrays)]
    if not known:
        found = sorted({PurePosixPath(path).suffix or "(no suffix)" for path in seen})
        raise InputError(
            f"{place.shown}: expected files ending in one of {', '.join(suffixes)}, found "
            f"{', '.join(found) or 'none'}"
        )
    return tuple(_part(place, path, root, suffixes) for path in known)


def _part(place: Place, path: str, root: str, suffixes: Collection[str]) -> Part:
    relative = _relative(path, root)
    shown = place.shown if path == place.path else _shown_below(place, path)
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in suffixes:
        remedy = _OTHER_KINDS.get(suffix, "convert it to one of them")
        raise InputError(
            f"{shown}: expected one of {', '.join(suffixes)}, found {suffix!r}; {remedy}"
        )
    return Part(shown, path, place.filesystem, suffix, relative, _hive_keys(relative))


def _shown_below(place: Place, path: str) -> str:
    if place.is_local:
        is_short = "://" not in place.shown and not Path(place.shown).is_absolute()
        return os.path.relpath(path) if is_short else path
    scheme = place.shown.partition("://")[0]
    return f"{scheme}://{path}"


def _hive_keys(relative: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for folder in relative.split("/")[:-1]:
        key, equals, value = folder.partition("=")
        if equals and key:
            found[unquote(key)] = None if value == _HIVE_NULL else unquote(value)
    return found


def _saved_dataset(place: Place) -> list[str]:
    """Return the files of a data set that Hugging Face saved, in its order."""
    path = f"{place.path.rstrip('/')}/state.json"
    try:
        with place.filesystem.open_input_stream(path) as file:
            state = json.loads(file.read())
        names = [str(one["filename"]) for one in state["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{place.shown}/state.json: cannot be read: {error}") from error
    if any("/" in name or name.startswith("..") for name in names):
        raise InputError(f"{place.shown}/state.json: names a file outside its folder")
    if state.get("_indices_files"):
        raise InputError(
            f"{place.shown}: a view of some rows; save it again after .flatten_indices()"
        )
    return [f"{place.path.rstrip('/')}/{name}" for name in names]


def _glob_pattern(glob: str) -> re.Pattern[str]:
    """Make ``*`` and ``?`` stay within a folder, and ``**`` not."""
    pieces = []
    for piece in re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]*\])", glob):
        if piece == "**/":
            pieces.append("(?:.*/)?")
        elif piece == "**":
            pieces.append(".*")
        elif piece in {"*", "?"}:
            pieces.append("[^/]" + ("*" if piece == "*" else ""))
        elif piece.startswith("["):
            pieces.append(fnmatch.translate(piece).removeprefix("(?s:").rpartition(")")[0])
        else:
            pieces.append(re.escape(piece))
    return re.compile("".join(pieces))


def _relative(path: str, root: str) -> str:
    return path.removeprefix(root.rstrip("/") + "/")


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _is_hidden(relative: str) -> bool:
    return any(piece.startswith((".", "_")) for piece in relative.split("/"))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
