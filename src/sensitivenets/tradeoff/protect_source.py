"""Protect a table that is read and not held: all rows are moved, rows drawn of it attacked."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from sensitivenets.embeddings import EmbeddingTable, Labels, canonical_values
from sensitivenets.embeddings.drawn_rows import draw_rows
from sensitivenets.embeddings.label_doubts import without_blanks
from sensitivenets.embeddings.location import Place
from sensitivenets.embeddings.rows import Codes
from sensitivenets.embeddings.source import TableSource
from sensitivenets.embeddings.source_rows import IdentifiedRows, SourceRows
from sensitivenets.engines import Engine, InProcess
from sensitivenets.erasers.moments.group import Int64
from sensitivenets.errors import DataWarning, InputError
from sensitivenets.maps.base import Model, require_features
from sensitivenets.maps.made_by import of_drawn, signed
from sensitivenets.maps.routed import moved_in_groups
from sensitivenets.maps.transform_files import (
    Transformation,
    folder_of_removed,
    transform_to_file,
    transform_to_folder,
)
from sensitivenets.progress import Progress
from sensitivenets.tradeoff.candidates import Candidate
from sensitivenets.tradeoff.evidence import ESTIMATED, MOSTLY_LABELLED, Attack, estimated_labels
from sensitivenets.tradeoff.labelled_sample import (
    SAMPLE_ROWS,
    numbered,
    rows_of,
    sample_rows,
    with_sample,
)
from sensitivenets.tradeoff.own_source import fitted_on_source, on_source
from sensitivenets.tradeoff.own_table import fitted_on
from sensitivenets.tradeoff.removal import Protection, Removal, on_record

Reference = EmbeddingTable | TableSource | Model

# Rows that are attacked: what attackers make of more would not fit into a gigabyte.
_ATTACKED = 20_000
# Rows with a true label, where few have one, that are attacked beside those that are drawn.
_MOST_LABELLED = 5_000


@dataclass(frozen=True)
class ProtectedSource(Protection):
    """What is to be done to a table that is not held, and what rows drawn of it still tell.

    Attributes
    ----------
    source : TableSource
        The table.
    transformation : Transformation
        Writes it, with the groups that its rows were found to be in.
    model, adapted, audit, unlabelled, taken, why, trade_off, sample, drawn
        See `Protection`.
    """

    source: TableSource
    transformation: Transformation

    def write_table(
        self, folder: Place, engine: Engine | None = None, progress: Progress | None = None
    ) -> None:
        """Write ``table/``, a file for each file of the table, or of one file ``table.parquet``."""
        out = folder.below(self.table_name)
        if self.table_name == "table":
            transform_to_folder(
                self.transformation, self.source, out, engine=engine, progress=progress
            )
        else:
            transform_to_file(self.transformation, self.source, out, progress)

    @property
    def table_name(self) -> str:
        """What is written: folders that are named by what is removed become one file."""
        one = self.source.is_one_file or folder_of_removed(self.transformation, self.source)
        return "table.parquet" if one else "table"


def protect_source(
    source: TableSource,
    reference: Reference,
    asked: Removal,
    attack: Attack,
    sample: EmbeddingTable | None = None,
) -> ProtectedSource:
    """Do what `protect` does to a table that need not fit into memory.

    Groups are found, and maps learned, from all rows, in passes. The comparison of candidates and
    the attackers take rows that are drawn (`drawn_rows.draw_rows`), in proportion by the labels of
    the attributes, or by groups where there are none. Labels and groups are held: some bytes a row.

    Parameters
    ----------
    source : TableSource
        What is to be protected (`open_table`).
    reference : EmbeddingTable, TableSource or Model
        As for `protect`; a source is fitted on in passes, and compared on rows that are drawn.
    asked : Removal
        What to remove.
    attack : Attack
        How to attack the result. Its engine, this process unless given, goes through the rows as
        well, and changes no bit of the result.
    sample : EmbeddingTable, optional
        ``sample`` of a former run with labels: attackers are tested on its rows.

    Returns
    -------
    ProtectedSource
        Nothing is written yet.

    Raises
    ------
    InputError
        As `protect` does.

    Warns
    -----
    DataWarning
        For each reason not to trust the routes.
    """
    if asked.numbers:
        raise InputError(
            f"continuous: {source.name} has {source.n_rows} rows, and numbers are read of tables "
            f"that are held; write bands of {asked.numbers[0]!r} into the reference, and remove "
            "them as an attribute"
        )
    seed, here = attack.random_state, attack.engine or InProcess()
    n_features = _width(reference)
    require_features(np.empty((0, source.width()), np.float32), n_features)
    who = asked.identity
    subject = None if who is None else without_blanks(source.read_codes(who)).codes
    held, how = _held(reference, asked, seed)
    trade_off, why = asked.compared(held, seed, attack.progress)
    taken = Candidate() if trade_off is None else trade_off.taken
    rows = IdentifiedRows(SourceRows(source, here, attack.progress), n_features)
    fitted = _fitted(reference, asked, taken, rows, seed, here)
    moved = on_source(fitted, taken, rows, subject, seed)
    for doubt in moved.adapted.doubts:
        warnings.warn(f"{source.name}: {doubt}", DataWarning, stacklevel=2)
    whole = rows.fingerprint
    made = on_record(fitted, moved.adapted, moved.map, trade_off, whole.to_record())
    guessed = {name: estimated_labels(fitted, moved.routes)[name] for name in asked.names}
    drawn = _Drawn.of(source, subject, guessed, sample, seed)
    guessed = {name: labels.take(drawn.numbers).widened() for name, labels in guessed.items()}
    # What was known of all rows is room for the attackers.
    del subject
    pa.default_memory_pool().release_unused()
    groups = moved.routes[drawn.numbers]
    after = canonical_values(moved_in_groups(moved.map, drawn.table.vectors, groups))
    columns = drawn.table.columns
    shown = columns.select(asked.written(columns.column_names, fitted.removed))
    written = signed(replace(drawn.table, vectors=after, columns=shown), made)
    found, unlabelled = attack.on(
        drawn.table,
        of_drawn(written, whole.to_dict(), drawn.table),
        guessed,
        None if who is None else drawn.table.identities(who),
        moved.map,
    )
    keep = tuple({asked.domain or ""} & set(source.labels.names))
    return ProtectedSource(
        model=made,
        adapted=moved.adapted,
        audit=replace(found, drawn=drawn.sentence),
        unlabelled=unlabelled,
        taken=taken,
        why=why if trade_off is None else why + how,
        trade_off=trade_off,
        source=source,
        transformation=Transformation(made, "the model", keep, moved.routes),
        drawn=drawn.sentence,
        sample=drawn.sample,
    )


def _width(reference: Reference) -> int:
    if isinstance(reference, TableSource):
        return reference.width()
    return reference.dim if isinstance(reference, EmbeddingTable) else reference.map.n_features_in


def _held(reference: Reference, asked: Removal, seed: int) -> tuple[EmbeddingTable | Model, str]:
    """Return what candidates are compared on, and say in words what was drawn for it."""
    if not isinstance(reference, TableSource):
        return reference, ""
    strata = [reference.read_codes(name) for name in asked.grouped]
    named = asked.identity is not None and asked.identity in reference.labels.names
    codes = without_blanks(reference.read_codes(asked.identity or "")).codes if named else None
    drawn = draw_rows(reference.n_rows, codes, strata, seed=seed)
    return reference.take(drawn.rows), f"; for that, of the reference {drawn.sentence()}"


def _fitted(
    reference: Reference,
    asked: Removal,
    candidate: Candidate,
    rows: IdentifiedRows,
    seed: int,
    engine: Engine,
) -> Model:
    if isinstance(reference, TableSource):
        return fitted_on_source(reference, asked.grouped, candidate, rows, seed, engine)
    if isinstance(reference, EmbeddingTable):
        # Checked here, where the message can name the file.
        reference.attributes(asked.grouped)
        return fitted_on(reference, asked.grouped, candidate, rows, seed)
    asked.require_removed(reference)
    return reference


@dataclass(frozen=True)
class _Drawn:
    """Rows that stand for a table: their numbers in it, they themselves, and some to label."""

    numbers: Int64
    table: EmbeddingTable
    sample: EmbeddingTable
    sentence: str

    @classmethod
    def of(
        cls,
        source: TableSource,
        subject: Codes | None,
        guessed: dict[str, Labels],
        sample: EmbeddingTable | None,
        seed: int,
    ) -> _Drawn:
        """Draw rows in proportion, add those with a rare true label, and read them in one go."""
        known = {name: source.read_codes(name) for name in guessed if name in source.labels.names}
        strata = [
            known[name]
            if name in known and known[name].labelled.mean() >= MOSTLY_LABELLED
            else replace(labels, name=name + ESTIMATED)
            for name, labels in guessed.items()
        ]
        drawn = draw_rows(source.n_rows, subject, strata, most=_ATTACKED, seed=seed)
        if sample is None:
            more = _rarely_labelled(known, seed)
        else:
            more = np.unique(rows_of(sample, source.n_rows, source.name))
        numbers = np.union1d(drawn.rows, more)
        to_label = sample_rows(source.n_rows, SAMPLE_ROWS, seed)
        read = np.union1d(numbers, to_label)
        rows = source.take(read)
        table = rows.take(np.searchsorted(read, numbers))
        if sample is not None:
            table = with_sample(table, sample, list(guessed), numbers=numbers)
        beside = f", and {len(more)} rows for their labels" if len(more) else ""
        return cls(
            numbers,
            table,
            numbered(rows.take(np.searchsorted(read, to_label)), to_label),
            drawn.sentence() + beside,
        )


def _rarely_labelled(known: dict[str, Labels], seed: int) -> Int64:
    """Return rows with a true label of an attribute that few have one of, to test on."""
    rng, found = np.random.default_rng(seed), [np.empty(0, dtype=np.int64)]
    for labels in known.values():
        if labels.labelled.mean() < MOSTLY_LABELLED:
            rows = np.flatnonzero(labels.labelled)
            found.append(rng.choice(rows, min(len(rows), _MOST_LABELLED), replace=False))
    return np.unique(np.concatenate(found))
