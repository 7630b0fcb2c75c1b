"""The photographs in a folder, what else lies there, and whom their folders name."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sensitivenets.errors import InputError
from sensitivenets.faces.images import SUFFIXES

# As many names as a message shows.
_SHOWN = 3


@dataclass(frozen=True)
class Skipped:
    r"""A file that gave no embedding.

    Attributes
    ----------
    image : str
        Its path below the folder; bytes that are no UTF-8 as ``\xff``.
    reason : str
        Why.
    """

    image: str
    reason: str


@dataclass(frozen=True)
class Photographs:
    """What a folder holds.

    Attributes
    ----------
    images : list of Path
        Files named as images, sorted by path.
    left_out : list of Skipped
        Files of other kinds, links that are not followed, folders that cannot be opened.
    """

    images: list[Path]
    left_out: list[Skipped]


def find_photographs(folder: Path) -> Photographs:
    """List the image files below a folder, and name all that is left out.

    A link to a file below the folder is a photograph of its own. Links that lead out of the folder
    are not followed, and links to folders never: what they lead to is below the folder anyway, and
    might be so without end.

    Parameters
    ----------
    folder : Path
        Searched with its subfolders.

    Returns
    -------
    Photographs
        At least one.

    Raises
    ------
    InputError
        If it is no folder, or holds no image.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of photographs")
    root = folder.resolve()
    images: list[Path] = []
    left_out: list[Skipped] = []

    def not_opened(error: OSError) -> None:
        left_out.append(_skipped(Path(error.filename), folder, f"not opened: {error.strerror}"))

    for parent, folders, files in os.walk(folder, onerror=not_opened):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for path in (Path(parent) / name for name in (*links, *files)):
            reason = _why_not(path, root)
            if reason is None:
                images.append(path)
            elif reason:
                left_out.append(_skipped(path, folder, reason))
    if not images:
        also = f"; it has {_kinds(left_out)}" if left_out else ""
        raise InputError(f"{folder}: found no image; looked for {', '.join(SUFFIXES)}{also}")
    return Photographs(sorted(images), sorted(left_out, key=lambda one: one.image))


def _why_not(path: Path, root: Path) -> str | None:
    """Say why a file is left out, in no words where it is hidden; None for a photograph."""
    if path.is_symlink():
        target = path.resolve() if path.exists() else None
        if target is None:
            return "a link that leads nowhere"
        if not target.is_relative_to(root):
            return "a link out of the folder, which is not followed; copy what it leads to"
        if target.is_dir():
            return "a link to a folder, which is not followed: it is searched where it is"
    if path.suffix.lower() not in SUFFIXES:
        return (
            ""
            if path.name.startswith(".")
            else f"of a kind that is not read: {path.suffix or 'no ending'}"
        )
    if not path.is_file():
        return "no regular file"
    if not _is_text(str(path)):
        return "its name is no UTF-8; rename it"
    return None


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _skipped(path: Path, folder: Path, reason: str) -> Skipped:
    below = path.relative_to(folder).as_posix()
    return Skipped(os.fsencode(below).decode("utf-8", "backslashreplace"), reason)


def _kinds(left_out: list[Skipped]) -> str:
    return "; ".join(f"{len(names)} {reason}" for reason, names in by_reason(left_out).items())


def by_reason(left_out: Iterable[Skipped]) -> dict[str, list[str]]:
    """Group what is left out by why, in the order of first appearance."""
    groups: dict[str, list[str]] = defaultdict(list)
    for one in left_out:
        groups[one.reason].append(one.image)
    return dict(groups)


def subject_of(image: str, level: int | None) -> str | None:
    """Return whom a photograph shows, by its folders.

    Parameters
    ----------
    image : str
        Path below the folder of all photographs.
    level : int, optional
        Which folder names the subject, 1 the outermost; the one it lies in unless given.

    Returns
    -------
    str or None
        None where there is no such folder.
    """
    folders = PurePosixPath(image).parts[:-1]
    place = len(folders) if level is None else level
    return folders[place - 1] if 1 <= place <= len(folders) else None


def require_clear_subjects(images: Iterable[str], level: int | None) -> None:
    """Refuse folders that do not say by themselves whom they are of.

    Parameters
    ----------
    images : iterable of str
        Paths below the folder of all photographs.
    level : int, optional
        See `subject_of`; with it, nothing is unclear but a level that no photograph has.

    Raises
    ------
    InputError
        If one name is that of folders in several places, or a folder with photographs has another
        with photographs in it.
    """
    places = {PurePosixPath(image).parent for image in images} - {PurePosixPath()}
    if level is not None:
        if not any(len(place.parts) >= level for place in places):
            deepest = max((len(place.parts) for place in places), default=0)
            raise InputError(
                f"--subject-level {level}: no photograph has so many folders around it, "
                f"{deepest} at most; choose another"
            )
        return
    remedy = "say with --subject-level which folder names the subject, 1 for the outermost"
    named: dict[str, list[PurePosixPath]] = defaultdict(list)
    for place in sorted(places):
        named[place.name].append(place)
        outer = next((p for p in place.parents if p in places), None)
        if outer is not None:
            raise InputError(
                f"the folders {str(outer)!r} and {str(place)!r} both have photographs, so it is "
                f"not clear which of them names the subject; {remedy}"
            )
    name, same = max(named.items(), key=lambda item: len(item[1]), default=("", []))
    if len(same) > 1:
        shown = ", ".join(map(repr, map(str, same[:_SHOWN])))
        more = f" and {len(same) - _SHOWN} more" if len(same) > _SHOWN else ""
        raise InputError(
            f"{len(same)} folders are named {name!r} ({shown}{more}), so it is not clear whether "
            f"they are of one subject; {remedy}"
        )
