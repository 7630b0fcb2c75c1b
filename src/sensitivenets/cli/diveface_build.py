"""``sensitivenets diveface build``: a balanced set and its splits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from sensitivenets.cli import diveface_files as shown
from sensitivenets.cli.diveface_files import attributes_of, classes_of, read_labelled, subject_of
from sensitivenets.cli.output import print_notice
from sensitivenets.cli.selection import refuse_table

if TYPE_CHECKING:
    from sensitivenets.datasets.diveface import SplitSizes


@Parameter(name="*")
@dataclass(frozen=True)
class SplitOptions:
    """How large the parts are: in proportion to the paper's unless given.

    Attributes
    ----------
    detectors
        Identities that the sensitivity detectors learn from (3 000 in the paper).
    attack_train
        Images that attackers are trained on (9 000).
    attack_test
        Images that attackers are tested on (1 800).
    split_images
        Images of each identity in these three (3).
    as_published
        Use the attackers' identities for the detectors and triplets too, as section 4.3 must:
        the attackers' rows are then named in a column attack of its own.
    """

    detectors: int | None = None
    attack_train: int | None = None
    attack_test: int | None = None
    split_images: int | None = None
    as_published: bool = False


def build(
    source: Path,
    /,
    *,
    out: Path,
    attribute: list[str] | None = None,
    identity: str | None = None,
    where: list[str] | None = None,
    identities: int | None = None,
    min_images: int | None = None,
    images: int | None = None,
    splits: SplitOptions | None = None,
    random_state: int = 0,
    embedding: str = "embedding",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Build a balanced set: as many identities of each class, split for fitting and attacking.

    Parameters
    ----------
    source
        Any labelled table, or the folder of annotation lists.
    out
        Parquet file to write, with a column split: detectors, triplets, attack_train, attack_test.
    attribute
        Column to balance; give the option once for each, their combinations are the classes.
        gender and ethnicity unless given.
    identity
        Column of identities; subject unless given, if there is one. Without, each row is one.
    where
        Use only the rows with COLUMN=VALUE; may be given several times.
    identities
        Identities of each class (4 000 in DiveFace); as many as the smallest class has unless
        given.
    min_images
        Images that an identity needs; 3 where identities are known.
    images
        Take exactly so many images of each identity; all unless given.
    splits
        How large the parts are.
    random_state
        Decides what is drawn.
    embedding
        Name of the embedding column.
    overwrite
        Replace a file that is already there.
    json
        Write the result as JSON.
    """
    refuse_table(out, overwrite=overwrite)
    from sensitivenets.datasets.diveface import (
        Balance,
        balance,
        set_statistics,
        split_set,
        write_set,
    )

    labelled = read_labelled(source, where or [], embedding)
    attributes = attributes_of(labelled, attribute)
    subject = subject_of(labelled, identity)
    classes = classes_of(labelled, attributes)
    least = min_images or (1 if subject is None else 3)
    drawn = balance(subject, classes, Balance(identities, least, images), random_state)
    if drawn.contradicting:
        print_notice(shown.contradiction(drawn.contradicting))
    labelled, classes = labelled.take(drawn.rows), classes.take(drawn.rows)
    subject = None if subject is None else subject.take(drawn.rows)
    options = splits or SplitOptions()
    k = options.split_images or min(3, images or least)
    sizes = _sizes(options, drawn.identities, len(classes.classes), k)
    split, attack = split_set(
        subject, classes, sizes, random_state, as_published=options.as_published
    )
    import pyarrow as pa

    columns = {"split": pa.array(split, pa.string())}
    if attack is not None:
        columns["attack"] = pa.array(attack, pa.string())
    labelled = labelled.with_columns(columns)
    write_set(labelled, out)
    counted = set_statistics(subject, classes, labelled.labels("split"))
    shown.print_built(counted, drawn, out, json=json)


def _sizes(options: SplitOptions, identities: int, n_classes: int, images: int) -> SplitSizes:
    from dataclasses import replace

    from sensitivenets.datasets.diveface import sizes_in_proportion

    given: dict[str, Any] = {
        "detectors": options.detectors,
        "attack_train": options.attack_train,
        "attack_test": options.attack_test,
    }
    usual = sizes_in_proportion(identities, n_classes, images)
    return replace(usual, **{name: size for name, size in given.items() if size is not None})
