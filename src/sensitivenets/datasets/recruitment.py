"""Synthetic recruitment: made-up job applications whose scores were biased afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sensitivenets.datasets.synthetic import ETHNICITIES, GENDERS, synthetic_diveface
from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.errors import InputError, require_int

MERITS = (
    *("suitability", "education", "experience", "recommendation", "availability"),
    *("language_1", "language_2", "language_3"),
)
_FIFTHS = np.arange(6) / 5
# Values, and how frequent they are; nobody's group has a say.
_DRAWN: dict[str, tuple[list[float], list[float]]] = {
    "suitability": ([0.25, 0.5, 0.75, 1.0], [0.25, 0.25, 0.25, 0.25]),
    "education": ([0.2, 0.4, 0.6, 0.8, 1.0], [0.10, 0.28, 0.28, 0.22, 0.12]),
    "experience": (_FIFTHS.tolist(), [0.15, 0.2, 0.2, 0.2, 0.15, 0.1]),
    "recommendation": ([0.0, 1.0], [0.6, 0.4]),
    "availability": ([0.2, 0.4, 0.6, 0.8, 1.0], [0.1, 0.15, 0.25, 0.25, 0.25]),
    "language_1": (_FIFTHS.tolist(), [0.1, 0.1, 0.15, 0.2, 0.2, 0.25]),
    "language_2": (_FIFTHS.tolist(), [0.3, 0.2, 0.2, 0.15, 0.1, 0.05]),
    "language_3": (_FIFTHS.tolist(), [0.6, 0.15, 0.1, 0.05, 0.05, 0.05]),
}
_WEIGHTS = np.array([0.25, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05, 0.05])  # in the order of MERITS
_NOISE = 0.02
PENALTY = 0.75
#: Who is penalised, in `score_gender_biased` and `score_ethnicity_biased`.
PENALISED = {"gender": "Female", "ethnicity": "Group 2"}
_TEST_SHARE = 0.2

_PRONOUNS = {"Female": ("she", "her"), "Male": ("he", "his")}
# Said more often of one gender in made-up biographies, so that a blind text still tells it.
_SKEWED = {
    "Female": ("caring", "community", "organised", "supportive", "volunteer"),
    "Male": ("leading", "technical", "football", "competitive", "engineering"),
}
_NEUTRAL = ("team", "project", "experience", "training", "clients", "report", "travel", "music")
_BY_SUITABILITY = {0.25: "studio", 0.5: "newsroom", 0.75: "hospital", 1.0: "office"}
_SKEW = 0.6
_WORDS = 6


def synthetic_recruitment(
    n_profiles: int = 24000,
    *,
    faces: EmbeddingTable | None = None,
    random_state: int = 0,
) -> EmbeddingTable:
    """Make up job applications: merits, a face, a biography, a fair score and two biased ones.

    Everything is synthetic and no such person applied: it has the layout of FairCVdb (see
    `read_faircvdb`) and none of its data. Merits and the fair score are independent of gender and
    ethnicity; the face shows both, the biography says the gender, and what `bio_blind` leaves of
    it hints at it by words that are more frequent for one gender. The biased scores are the fair
    one, times 0.75 for women, and for Group 2: what a recruiter's past decisions look like.

    Parameters
    ----------
    n_profiles : int, default=24000
        Profiles; the six groups of gender and ethnicity take turns.
    faces : EmbeddingTable, optional
        Real embeddings with columns ``gender`` (Female, Male) and ``ethnicity`` (Group 1, 2, 3),
        drawn without replacement within each group; `synthetic_diveface` of 32 features unless
        given.
    random_state : int, default=0
        Decides everything.

    Returns
    -------
    EmbeddingTable
        Embeddings of faces; columns ``profile``, ``gender``, ``ethnicity``, the eight merits of
        `MERITS`, ``score``, ``score_gender_biased`` and ``score_ethnicity_biased`` in [0, 1],
        ``bio``, ``bio_blind`` and ``split`` (train 80 %, test 20 % of each group).

    Raises
    ------
    InputError
        If there are fewer than thirty profiles, or too few faces of a group.

    Examples
    --------
    >>> table = synthetic_recruitment(60)
    >>> table.labels("split").counts()
    {'test': 12, 'train': 48}
    """
    require_int("n_profiles", n_profiles, minimum=30)
    rng = np.random.default_rng(random_state)
    row = np.arange(n_profiles)
    gender = np.array(GENDERS)[row % 2]
    ethnicity = np.array(ETHNICITIES)[row // 2 % 3]
    vectors = _faces(faces, gender, ethnicity, rng, random_state)
    merits = {
        name: rng.choice(values, n_profiles, p=shares) for name, (values, shares) in _DRAWN.items()
    }
    stacked = np.stack([merits[name] for name in MERITS], axis=1)
    score = np.clip(stacked @ _WEIGHTS + _NOISE * rng.standard_normal(n_profiles), 0, 1)
    bios = [_biography(*who, rng) for who in zip(gender, merits["suitability"], strict=True)]
    columns: dict[str, Any] = {
        "profile": [f"synthetic-{k:06d}" for k in row],
        "gender": gender,
        "ethnicity": ethnicity,
        **merits,
        "score": score,
        "score_gender_biased": _penalised(score, gender == PENALISED["gender"]),
        "score_ethnicity_biased": _penalised(score, ethnicity == PENALISED["ethnicity"]),
        "bio": [bio for bio, _ in bios],
        "bio_blind": [blind for _, blind in bios],
        "split": np.where(row // 6 % round(1 / _TEST_SHARE) == 0, "test", "train"),
    }
    return EmbeddingTable(vectors, pa.table(columns), "synthetic recruitment")


def _faces(
    faces: EmbeddingTable | None,
    gender: npt.NDArray[Any],
    ethnicity: npt.NDArray[Any],
    rng: np.random.Generator,
    random_state: int,
) -> npt.NDArray[np.float32]:
    if faces is None:
        # They take turns over the six groups as the profiles do.
        made = synthetic_diveface(len(gender), 1, dim=32, random_state=random_state)
        return made.vectors.astype(np.float32)
    labels = {name: faces.labels(name) for name in ("gender", "ethnicity")}
    chosen = np.empty(len(gender), dtype=np.int64)
    for who in GENDERS:
        for group in ETHNICITIES:
            wanted = np.flatnonzero((gender == who) & (ethnicity == group))
            there = np.flatnonzero(
                (_codes_of(labels["gender"], who)) & (_codes_of(labels["ethnicity"], group))
            )
            if len(there) < len(wanted):
                raise InputError(
                    f"{faces.source}: expected {len(wanted)} faces with gender = {who!r} and "
                    f"ethnicity = {group!r}, found {len(there)}; make fewer profiles"
                )
            chosen[wanted] = rng.choice(there, len(wanted), replace=False)
    return faces.vectors[chosen].astype(np.float32)


def _codes_of(labels: Any, name: str) -> npt.NDArray[np.bool_]:
    if name not in labels.classes:
        return np.zeros(len(labels), dtype=np.bool_)
    return np.asarray(labels.codes == labels.classes.index(name))


def _penalised(score: npt.NDArray[Any], who: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(np.where(who, PENALTY * score, score))


def _biography(gender: str, suitability: float, rng: np.random.Generator) -> tuple[str, str]:
    """Write a text and the same without its pronouns."""
    other = "Male" if gender == "Female" else "Female"
    words = [_BY_SUITABILITY[float(suitability)]]
    for _ in range(_WORDS):
        skewed = _SKEWED[gender if rng.random() < _SKEW else other]
        words.append(str(rng.choice(skewed if rng.random() < 0.5 else _NEUTRAL)))
    they, their = _PRONOUNS[gender]
    blind = f"works in {words[0]} with {' '.join(words[1:])}"
    return f"{they} {blind} and likes {their} work", f"{blind} and likes work"
