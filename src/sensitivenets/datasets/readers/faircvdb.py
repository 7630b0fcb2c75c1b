"""FairCVdb: made-up job applications with the embedding of a face each, as published.

Peña, Serna, Morales, Fierrez, Ortega, Herrarte and Alcantara, Human-Centric Multimodal Machine
Learning: Recent Advances and Testbed on AI-based Recruitment, SN Computer Science 4, 2023. One
file, ``FairCVdb.npy``: a pickled dictionary of arrays for the parts Train and Test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sensitivenets.datasets.readers.containers_pickle import ContainersUnpickler
from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.errors import InputError

#: Larger than the published file by a factor of ten.
MAX_BYTES = 2 << 30
PARTS = ("Train", "Test")
_GENDERS = np.array(["Male", "Female"])
_ETHNICITIES = np.array(["Group 1", "Group 2", "Group 3"])
_OCCUPATIONS = np.array([
    *("nurse", "surgeon", "physician", "journalist", "photographer"),
    *("filmmaker", "teacher", "professor", "attorney", "accountant"),
])
_MERITS = (
    *("suitability", "education", "experience", "recommendation", "availability"),
    *("language_1", "language_2", "language_3"),
)
_FIRST_MERIT, _FACE, _BLIND_FACE, _END = 3, 11, 31, 51
_SCORES = {
    "score": "Blind Labels {}",
    "score_gender_biased": "Biased Labels {} (Gender)",
    "score_ethnicity_biased": "Biased Labels {} (Ethnicity)",
}


def read_faircvdb(path: str | Path) -> EmbeddingTable:
    """Read FairCVdb.

    Parameters
    ----------
    path : str or Path
        ``FairCVdb.npy``. It holds a pickle, which is read without running anything of it.

    Returns
    -------
    EmbeddingTable
        ``embedding``: 20 features of the face. Columns ``gender``, ``ethnicity``, ``occupation``,
        the merits (``suitability``, ``education``, ``experience``, ``recommendation``,
        ``availability``, ``language_1`` to ``language_3``, all in [0, 1]), ``score`` (blind),
        ``score_gender_biased``, ``score_ethnicity_biased``, ``bio``, ``bio_blind``, ``image``,
        ``blind_embedding`` (the authors' agnostic one, as a list) and ``split`` (train, test).

    Raises
    ------
    InputError
        If the file is missing, too large, asks for anything but containers, or an array is missing
        or of another shape.
    """
    path = Path(path)
    held = _load(path)
    parts = [_part(path, held, part) for part in PARTS]
    vectors = np.concatenate([part[0] for part in parts]).astype(np.float32)
    columns = pa.concat_tables([part[1] for part in parts])
    return EmbeddingTable(vectors, columns, str(path))


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: expected at most {MAX_BYTES} bytes; this is no FairCVdb.npy")
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
            held = ContainersUnpickler(file, "FairCVdb", "buifUO").load()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # a damaged pickle raises anything
        raise InputError(
            f"{path}: expected FairCVdb.npy as published (its Git LFS content, not the pointer); "
            f"{type(error).__name__}: {error}"
        ) from error
    found = held.item() if isinstance(held, np.ndarray) and held.ndim == 0 else held
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a dictionary, found {type(found).__name__}")
    return found


def _part(path: Path, held: dict[str, Any], part: str) -> tuple[npt.NDArray[Any], pa.Table]:
    profiles = _array(path, held, f"Profiles {part}")
    if profiles.ndim != 2 or profiles.shape[1] != _END:
        raise InputError(
            f"{path}: 'Profiles {part}': expected {_END} columns (two attributes, an occupation, "
            f"eight merits, two embeddings of 20), found shape {profiles.shape}"
        )
    profiles = profiles.astype(np.float64)
    n = len(profiles)
    columns: dict[str, Any] = {
        "gender": _named(path, part, "gender", profiles[:, 1], _GENDERS),
        "ethnicity": _named(path, part, "ethnicity", profiles[:, 0], _ETHNICITIES),
        "occupation": _named(path, part, "occupation", profiles[:, 2], _OCCUPATIONS),
    }
    columns |= {name: profiles[:, _FIRST_MERIT + k] for k, name in enumerate(_MERITS)}
    for name, key in _SCORES.items():
        columns[name] = _rows(path, held, key.format(part), n).astype(np.float64).reshape(n)
    bios = _rows(path, held, f"Bios {part}", n)
    columns["bio"], columns["bio_blind"] = (list(map(str, bios[:, k])) for k in (0, 1))
    columns["image"] = list(map(str, _rows(path, held, f"Image List {part}", n)))
    columns["blind_embedding"] = list(profiles[:, _BLIND_FACE:].astype(np.float32))
    columns["split"] = [part.lower()] * n
    return profiles[:, _FACE:_BLIND_FACE], pa.table(columns)


def _array(path: Path, held: dict[str, Any], key: str) -> npt.NDArray[Any]:
    if key not in held:
        raise InputError(f"{path}: expected {key!r}, found {', '.join(map(repr, held))}")
    return np.asarray(held[key])


def _rows(path: Path, held: dict[str, Any], key: str, n: int) -> npt.NDArray[Any]:
    found = _array(path, held, key)
    if len(found) != n:
        raise InputError(
            f"{path}: {key!r}: expected a row for each of {n} profiles, found {len(found)}"
        )
    return found


def _named(
    path: Path, part: str, what: str, values: npt.NDArray[Any], names: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    codes = values.astype(np.int64)
    if (codes != values).any() or codes.min() < 0 or codes.max() >= len(names):
        raise InputError(
            f"{path}: 'Profiles {part}': {what}: expected codes from 0 to {len(names) - 1}, found "
            f"{sorted(set(values.tolist()))[:12]}"
        )
    return names[codes]
