"""What the commands of ``sensitivenets diveface`` are given: labelled tables and their columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensitivenets.cli.output import percent, print_json, print_line, print_notice, print_table
from sensitivenets.cli.selection import column_value
from sensitivenets.errors import InputError, some_of

if TYPE_CHECKING:
    from sensitivenets.annotation.propose_table import Proposed
    from sensitivenets.datasets.diveface import (
        BalancedSet,
        ClassStatistics,
        Joined,
        LabelledSet,
    )
    from sensitivenets.embeddings import Labels
    from sensitivenets.intervals import Estimate


_SUBJECT = "subject"
_USUAL = ("gender", "ethnicity")
_EXAMPLES = 3


def read_labelled(source: Path, where: list[str], embedding: str) -> LabelledSet:
    """Read a labelled set and keep the rows that meet every condition."""
    from sensitivenets.datasets.diveface import read_set

    conditions = [column_value(text, "--where") for text in where]
    labelled = read_set(source, embedding=embedding)
    for column, value in conditions:
        labelled = labelled.where(column, value)
    return labelled


def attributes_of(labelled: LabelledSet, named: list[str] | None) -> list[str]:
    """Return the attributes named, or gender and ethnicity where they are there."""
    present = labelled.columns.column_names
    names = named or [name for name in _USUAL if name in present]
    if not names:
        raise InputError(
            f"{labelled.source}: expected an attribute, found no column gender or ethnicity; name "
            "one with --attribute"
        )
    return names


def identity_column_of(labelled: LabelledSet, named: str | None) -> str | None:
    """Return the identity column: as named, else subject if there is one."""
    if named is None and _SUBJECT in labelled.columns.column_names:
        return _SUBJECT
    return named


def subject_of(labelled: LabelledSet, named: str | None) -> Labels | None:
    """Return the identities, if they are known."""
    column = identity_column_of(labelled, named)
    return None if column is None else labelled.labels(column)


def classes_of(labelled: LabelledSet, attributes: list[str]) -> Labels:
    """Cross the attributes; refuse combinations that no row has."""
    from sensitivenets.datasets.diveface.balance import absent_combinations

    classes = labelled.classes(attributes)
    absent = absent_combinations({name: labelled.labels(name) for name in attributes}, classes)
    if absent:
        raise InputError(
            f"{labelled.source}: no row is {absent[0]!r} ({len(absent)} such combinations), so the "
            "set cannot be balanced; leave the class out (--where) or balance fewer attributes"
        )
    return classes


def contradiction(names: Sequence[str]) -> str:
    """Say which identities were left out because their rows disagree."""
    some = some_of(names, _EXAMPLES)
    return f"{len(names)} identities left out, their rows are of several classes: {some}"


def print_read(
    labelled: LabelledSet, joined: Joined | None, out: Path, missing: Path | None, *, json: bool
) -> None:
    """Show what was read, and what is missing of it."""
    identities = len(labelled.labels("subject").classes)
    by_class = {} if joined is None else joined.missing_by_class()
    n_missing = 0 if joined is None else joined.missing.num_rows
    if json:
        print_json({
            "table": str(out),
            "images": len(labelled),
            "identities": identities,
            "missing": {
                "images": n_missing,
                "by_class": {
                    name: {"images": images, "identities": people}
                    for name, (images, people) in by_class.items()
                },
                "file": None if missing is None else str(missing),
            },
            "unlisted": 0 if joined is None else joined.n_unlisted,
        })
        return
    if n_missing:
        rows = [[name, f"{n}", f"{people}"] for name, (n, people) in by_class.items()]
        print_table(["missing", "images", "of identities"], rows)
        named = f"named in {missing}" if missing else "name them with --missing FILE.parquet"
        print_line(f"{n_missing} annotated images were not found, {named}")
    if joined is not None and joined.n_unlisted:
        print_line(f"{joined.n_unlisted} rows or files are in none of the lists, and left out")
    print_line(f"{len(labelled)} images of {identities} identities: {out}")


def print_built(
    statistics: Sequence[ClassStatistics], drawn: BalancedSet, out: Path, *, json: bool
) -> None:
    """Show what a balanced set is made of, and what to do with it."""
    if json:
        print_json({
            "table": str(out),
            "identities_per_class": drawn.identities,
            "available": drawn.available,
            "contradicting": list(drawn.contradicting),
            "classes": [one.to_dict() for one in statistics],
        })
        return
    print_statistics(statistics, None, json=False)
    print_line(f"balanced set: {out}")


def print_statistics(
    statistics: Sequence[ClassStatistics], picture: Path | None, *, json: bool
) -> None:
    """Show the statistics as a table."""
    facts = [one.to_dict() for one in statistics]
    if json:
        print_json({"classes": facts, "picture": None if picture is None else str(picture)})
        return
    header = ["class", "images", "identities", "per identity", "min", "median", "max"]
    print_table(header, [_line(one) for one in facts])
    parts = list(statistics[0].parts)
    if parts:
        print_line()
        rows = [[one.name, *(f"{n} / {k}" for n, k in one.parts.values())] for one in statistics]
        print_table(["images / identities", *parts], rows)
    if picture is not None:
        print_line(f"picture: {picture.with_suffix('.svg')}, {picture.with_suffix('.png')}")


def _line(facts: dict[str, Any]) -> list[str]:
    each = facts["images_per_identity"]
    numbers = [f"{each['mean']:.2f}", f"{each['min']}", f"{each['median']:g}", f"{each['max']}"]
    return [facts["class"], f"{facts['images']}", f"{facts['identities']}", *numbers]


def columns_of(proposed: Proposed) -> dict[str, Any]:
    """Return the columns of a proposed attribute: label, confidence, and source."""
    import numpy as np
    import pyarrow as pa

    names = np.array([*proposed.classes, None], dtype=object)
    source = np.where(proposed.given, "given", "proposed").astype(object)
    source[proposed.codes < 0] = None
    return {
        proposed.attribute: pa.array(names[proposed.codes], pa.string()),
        f"{proposed.attribute}_confidence": pa.array(proposed.confidence),
        f"{proposed.attribute}_source": pa.array(source, pa.string()),
    }


def print_proposed(made: Sequence[Proposed], out: Path, *, json: bool) -> None:
    """Show how much was labelled, and how much of that is wrong."""
    if json:
        print_json({"table": str(out), "attributes": [_facts(one) for one in made]})
        return
    for one in made:
        rows = [
            [f"{at.confidence:g}", percent(at.kept), str(at.noise or "-"), _n(at.noise)]
            for at in one.curve
        ]
        header = [f"{one.attribute}: confidence", "labelled", "wrong, held out", "identities"]
        print_table(header, rows)
        labelled = int((one.codes >= 0).sum())
        print_line(
            f"{one.attribute}: {labelled} of {len(one.codes)} rows labelled at "
            f"{one.at.confidence:g}; wrong: {one.at.noise or 'unknown'} held out of the labelled "
            f"table, {percent(one.expected_noise)} expected here"
            + (f", {one.measured} measured here on {one.measured.n}" if one.measured else "")
        )
        for name, noise in one.by_class.items():
            print_line(f"  called {name}: {noise} wrong, held out")
    if any(one.measured is None for one in made):
        print_notice(
            "held-out numbers hold for people like those of the labelled table; label some rows "
            "of this one by eye (sensitivenets annotate) to measure it here"
        )
    print_line(f"labelled table: {out}")


def _n(noise: Estimate | None) -> str:
    return "0" if noise is None else str(noise.n)


def _noise(noise: Estimate | None) -> dict[str, Any] | None:
    if noise is None:
        return None
    return {"value": noise.value, "low": noise.low, "high": noise.high, "n": noise.n}


def _facts(one: Proposed) -> dict[str, Any]:
    return {
        "attribute": one.attribute,
        "confidence": one.at.confidence,
        "rows": len(one.codes),
        "labelled": int((one.codes >= 0).sum()),
        "given": int(one.given.sum()),
        "noise_held_out": _noise(one.at.noise),
        "noise_by_class": {name: _noise(noise) for name, noise in one.by_class.items()},
        "noise_expected": one.expected_noise,
        "noise_measured": _noise(one.measured),
        "curve": [
            {"confidence": at.confidence, "kept": at.kept, "noise": _noise(at.noise)}
            for at in one.curve
        ],
    }
