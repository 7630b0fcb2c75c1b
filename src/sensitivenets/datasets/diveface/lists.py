"""The six annotation lists of DiveFace: one for each gender and ethnic group (section 3)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from sensitivenets.errors import DataWarning, InputError

GENDERS = ("Female", "Male")
GROUPS = ("Group 1", "Group 2", "Group 3")

_EXAMPLES = 3


def list_name(gender: str, group: str) -> str:
    """Name the list of a class: ``Group1_Female.txt``."""
    return f"{group.replace(' ', '')}_{gender}.txt"


@dataclass
class _Reading:
    """What has been read so far, and what is wrong with it."""

    subject: list[str] = field(default_factory=list)
    image: list[str] = field(default_factory=list)
    gender: list[str] = field(default_factory=list)
    ethnicity: list[str] = field(default_factory=list)
    place: dict[str, str] = field(default_factory=dict)
    owner: dict[str, tuple[str, str]] = field(default_factory=dict)
    contradicting: dict[str, str] = field(default_factory=dict)
    malformed: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)

    def problems(self) -> list[str]:
        """Say what is wrong, one sentence a kind, with counts and the first examples."""
        kinds = {
            "malformed, expected <identity>/<file>": self.malformed,
            "duplicated": self.duplicated,
            "identities in two lists": list(self.contradicting.values()),
        }
        return [
            f"{len(found)} {kind}: {'; '.join(found[:_EXAMPLES])}"
            + ("; ..." if len(found) > _EXAMPLES else "")
            for kind, found in kinds.items()
            if found
        ]

    def table(self) -> pa.Table:
        """Return what is sound: identities in two lists are left out."""
        table = pa.table({
            "subject": self.subject,
            "image": self.image,
            "gender": self.gender,
            "ethnicity": self.ethnicity,
        })
        if not self.contradicting:
            return table
        return table.filter(pa.array([name not in self.contradicting for name in self.subject]))


def read_lists(folder: str | Path, *, skip_bad: bool = False) -> pa.Table:
    """Read the six annotation lists: who is in DiveFace, and in which class.

    Parameters
    ----------
    folder : str or Path
        Holds ``Group1_Female.txt`` to ``Group3_Male.txt``, with ``<identity>/<file>`` a line.
        Empty lines are passed over.
    skip_bad : bool, default=False
        Leave out malformed and repeated lines, and identities that are in two lists, with a
        warning, instead of refusing the lists.

    Returns
    -------
    pyarrow.Table
        One row for each image: ``subject``, ``image`` (``<identity>/<file>``), ``gender``
        (Female, Male) and ``ethnicity`` (Group 1, 2, 3), in the order of the lists.

    Warns
    -----
    DataWarning
        With `skip_bad`, of what was left out.

    Raises
    ------
    InputError
        If a list is missing, empty or no text, or has lines that are wrong; the message counts
        each kind and names the first few with file and line.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: expected the folder of the six annotation lists; none there")
    classes = [(gender, group) for group in GROUPS for gender in GENDERS]
    absent = [list_name(*one) for one in classes if not (folder / list_name(*one)).is_file()]
    if absent:
        raise InputError(
            f"{folder}: {len(absent)} of the six annotation lists are not there: "
            f"{', '.join(absent)}; expected GroupN_Gender.txt, as DiveFace publishes them"
        )
    reading = _Reading()
    for gender, group in classes:
        _read_list(folder / list_name(gender, group), gender, group, reading)
    problems = reading.problems()
    if problems and not skip_bad:
        raise InputError(
            f"{folder}: {'. '.join(problems)}. Correct the lists or skip what is wrong (--skip-bad)"
        )
    if problems:
        warnings.warn(f"{folder}: left out {'. '.join(problems)}", DataWarning, stacklevel=2)
    return reading.table()


def _read_list(path: Path, gender: str, group: str, reading: _Reading) -> None:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: expected text in UTF-8, found byte {error.object[error.start]:#04x} at "
            f"{error.start}"
        ) from error
    before = len(reading.image)
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.removesuffix("\r")
        if not entry.strip():
            continue
        subject, name = _parts(entry)
        where = f"{path.name}:{number} {entry[:80]!r}"
        if not subject or not name:
            reading.malformed.append(where)
            continue
        first = reading.owner.setdefault(subject, (path.name, where))
        if first[0] != path.name:
            reading.contradicting.setdefault(subject, f"{subject!r} at {first[1]} and {where}")
        elif entry in reading.place:
            reading.duplicated.append(f"{where}, as line {reading.place[entry]}")
            continue
        reading.place[entry] = str(number)
        reading.subject.append(subject)
        reading.image.append(entry)
        reading.gender.append(gender)
        reading.ethnicity.append(group)
    if len(reading.image) == before and not reading.malformed:
        raise InputError(f"{path}: expected <identity>/<file> lines, found none")


def _parts(entry: str) -> tuple[str, str]:
    """Split a line into identity and file; two empty texts if it is no such line.

    Lists come from elsewhere and are joined to folders: nothing in them may lead out of one.
    """
    parts = entry.split("/")
    if len(parts) != 2 or not entry.isprintable() or "\\" in entry:
        return "", ""
    if any(part != part.strip() or part in {"", ".", ".."} for part in parts):
        return "", ""
    return parts[0], parts[1]
