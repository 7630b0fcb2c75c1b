"""Fit from a table that is read and not held: in one pass, or in several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from sklearn.base import clone

from sensitivenets.embeddings import encode
from sensitivenets.embeddings.fingerprint import (
    Fingerprint,
    Hashing,
    StretchDigests,
    other_cores,
)
from sensitivenets.embeddings.label_doubts import without_blanks
from sensitivenets.embeddings.labels import encode_columns
from sensitivenets.embeddings.rows import Stretch
from sensitivenets.embeddings.source import TableSource, open_table
from sensitivenets.embeddings.source_rows import IdentifiedRows, SourceRows
from sensitivenets.embeddings.stretches import chunks_of
from sensitivenets.engines import Engine, InProcess
from sensitivenets.erasers.linear.streaming import StreamingEraser
from sensitivenets.erasers.moments.attribute import AttributeStream
from sensitivenets.erasers.transport.adapt import Adapted, adapt_passes, adapted_model
from sensitivenets.erasers.transport.by_source import adapt_by_source
from sensitivenets.erasers.transport.passes import IN_NUMPY, InNumpy, Products
from sensitivenets.errors import InputError
from sensitivenets.maps.base import Fitted, Model, model_of
from sensitivenets.progress import Progress


@dataclass(frozen=True)
class AdaptedModel:
    """A model adapted to a file, and the record of how.

    Attributes
    ----------
    model : Model
        Maps people who come later.
    adapted : Adapted
        Rows of each predicted group, the forecast, doubts.
    """

    model: Model
    adapted: Adapted


def adapt_table(
    fitted: Model | Fitted,
    table: TableSource | str | Path,
    *,
    identity: str | None = None,
    domain: str | None = None,
    trust: bool = False,
    embedding: str = "embedding",
    engine: Engine | None = None,
    products: Products = IN_NUMPY,
    progress: Progress | None = None,
) -> AdaptedModel:
    """Adapt a routed model to an unlabelled table that need not fit into memory.

    Parameters
    ----------
    fitted : Model or fitted estimator
        As in `transport.adapt.adapt`; it is not changed.
    table : TableSource, str or Path
        The rows, or where they lie (see `open_table`). They are read five times at most, ten with
        identities, and once more for a code.
    identity : str, optional
        Column that says who a row shows: rows of a subject share a route.
    domain : str, optional
        Column that says which source a row is from: each has groups and moments of its own
        (`transport.by_source`), for as many times the passes.
    trust : bool, default=False
        Adapt even where the table shows no groups like the reference's.
    embedding : str, default="embedding"
        Column of the embeddings, where `table` says where they lie.
    engine : Engine, optional
        Who goes through the rows: this process unless given. It changes no bit of the result, and
        neither does how the table is cut into files.
    products : Products, optional
        Who multiplies: numpy, or a device (`maps.on_device.products_on`).
    progress : Progress, optional
        Told of the rows that are done.

    Returns
    -------
    AdaptedModel
        The derived model and its record.

    Raises
    ------
    InputError
        If the model has no routes, the file does not fit it, or a source has too few rows.
    """
    source = as_source(table, embedding)
    n_features = model_of(fitted).map.n_features_in
    subjects = None
    if identity is not None:
        subjects = without_blanks(source.read_codes(identity)).codes
    rows = IdentifiedRows(SourceRows(source, engine or InProcess(), progress), n_features)
    if domain is None:
        adapted = adapt_passes(fitted, rows, subjects=subjects, trust=trust, products=products)
    else:
        sources = source.read_codes(domain)
        adapted = adapt_by_source(
            fitted, rows, sources, subjects=subjects, trust=trust, products=products
        )
    return AdaptedModel(adapted_model(fitted, adapted, rows.fingerprint.to_record()), adapted)


def as_source(table: TableSource | str | Path, embedding: str) -> TableSource:
    """Return a table that is read and not held, from itself or from where it lies."""
    return table if isinstance(table, TableSource) else open_table(table, embedding=embedding)


class BlockFitter(Protocol):
    """An eraser in closed form, such as `LEACE`, or one with `fit_passes`: `RoutedTransport`."""

    @property
    def model_(self) -> Model:
        """The map of all rows."""
        ...


E = TypeVar("E", bound=BlockFitter)


def fits_block_by_block(eraser: Any) -> bool:
    """Whether an eraser, with the parameters it has, can be fitted to more rows than it holds."""
    in_passes = hasattr(eraser, "fit_passes") and not getattr(eraser, "n_cell_rounds", 0)
    return in_passes or isinstance(eraser, StreamingEraser)


def fit_table(
    eraser: E,
    table: TableSource | str | Path,
    *,
    sensitive: Sequence[str],
    target: str | None = None,
    unlabelled: TableSource | str | Path | None = None,
    embedding: str = "embedding",
    engine: Engine | None = None,
    products: Products = IN_NUMPY,
    progress: Progress | None = None,
) -> E:
    """Fit an eraser to a table that need not fit into memory.

    Parameters
    ----------
    eraser : estimator in closed form, or with `fit_passes`
        Its parameters; it is not changed.
    table : TableSource, str or Path
        The rows, or where they lie (see `open_table`); read once, from the first to the last, or
        by `fit_passes` once and twice more a round.
    sensitive : sequence of str
        Columns of the attributes to remove; null is unlabelled.
    target : str, optional
        Column of what is to be kept, for a method that keeps a target.
    unlabelled : TableSource, str or Path, optional
        Another table of the same network, of which no attribute is known, for `fit_passes`: its
        rows count as if they stood behind those of `table` with null labels.
    embedding : str, default="embedding"
        Column of the embeddings, where `table` says where they lie.
    engine : Engine, optional
        Who adds up the moments: this process unless given. It changes no bit of the result, and
        neither does how the table is cut into files.
    products : Products, optional
        Who multiplies for `fit_passes`: numpy, or a device (`maps.on_device.products_on`).
    progress : Progress, optional
        Told of the rows that are done, such as by `progress_bar`.

    Returns
    -------
    estimator
        A fitted copy.

    Raises
    ------
    InputError
        If the eraser needs all rows at once, or a device would be of no use to it; the table
        cannot be used, or an attribute has fewer than two classes in the whole of it.
    """
    if not (hasattr(eraser, "fit_passes") or isinstance(eraser, StreamingEraser)):
        raise InputError(
            f"{type(eraser).__name__}: needs all rows at once; read the table with read_table and "
            "call fit, or take a closed-form method such as LEACE"
        )
    if not sensitive:
        raise InputError("sensitive: expected the name of at least one column, found none")
    if unlabelled is not None and not hasattr(eraser, "fit_passes"):
        raise InputError(
            f"unlabelled: {type(eraser).__name__} learns nothing from rows without labels; "
            "expected none, or a method such as RoutedTransport"
        )
    if not isinstance(products, InNumpy) and not hasattr(eraser, "fit_passes"):
        raise InputError(
            f"device: {type(eraser).__name__} adds each row up once, which takes less time than "
            "sending it to a device; leave it out, or take a method such as RoutedTransport"
        )
    fitted: Any = clone(eraser)
    source = as_source(table, embedding)
    source.require_labels([*sensitive, *([] if target is None else [target])])
    tables = {"primary": source}
    if unlabelled is not None:
        tables["unlabelled"] = as_source(unlabelled, embedding)
        source = source.followed_by_unlabelled(tables["unlabelled"])
    rows = SourceRows(source, engine or InProcess(), progress)
    if hasattr(fitted, "fit_passes"):
        # What stays in memory is taken before the passes begin.
        attributes = {name: source.read_codes(name).require_two_classes() for name in sensitive}
        fitted.fit_passes(rows, attributes, products)
    else:
        add_up = _AddUp(fitted, source, tuple(sensitive), target, fitted.draw_seed())
        fitted.fit_moments(*_merged(add_up, rows.over_stretches(add_up)))
    if unlabelled is not None:
        # The passes saw one table; who audits either asks for it.
        found = {name: identified(one).to_record() for name, one in tables.items()}
        known = dict(fitted.model_.fingerprint)
        fitted.model_ = replace(fitted.model_, fingerprint=known | found)
    # Whatever is missing in the table as a whole is said here, not at the first transform.
    _ = fitted.model_
    return cast(E, fitted)


def identified(source: TableSource) -> Fingerprint:
    """Read a table once to say which it is.

    Parameters
    ----------
    source : TableSource
        The table.

    Returns
    -------
    Fingerprint
        Of all rows.
    """
    found = Fingerprint()
    with other_cores() as pool:
        for block in source.blocks():
            found = Hashing(block.vectors, pool, found).result()
    return found


@dataclass(frozen=True)
class _AddUp:
    """Adds up the moments of one stretch of a table, wherever it is called."""

    eraser: StreamingEraser
    source: TableSource
    sensitive: tuple[str, ...]
    target: str | None
    seed: int

    def __call__(self, stretch: Stretch) -> tuple[AttributeStream, StretchDigests]:
        stream, digests = None, StretchDigests()
        columns = (*self.sensitive, *([] if self.target is None else [self.target]))
        for block in chunks_of(self.source, stretch, columns):
            X = block.vectors
            if stream is None:
                # Each stretch draws for itself, and its share of the sample.
                stream = self.eraser.new_stream(
                    self.sensitive, X.shape[1], self.source.n_rows, (self.seed, stretch.number)
                )
            labels = block.columns.select(list(self.sensitive))
            stream.update(X, encode_columns(labels, len(X)))
            if self.target is not None:
                stream.update_target(X, encode(self.target, block.columns[self.target]))
            digests = digests.followed_by(X)
        assert stream is not None
        return stream, digests


def _merged(
    add_up: _AddUp, found: Iterable[tuple[AttributeStream, StretchDigests]]
) -> tuple[AttributeStream, Fingerprint]:
    """Put stretches together in the order of the rows: sums of floats depend on it."""
    whole: AttributeStream | None = None
    fingerprint = Fingerprint()
    for stream, digests in found:
        # Not into the first of them: what another machine sends may be read-only.
        whole = whole or add_up.eraser.new_stream(add_up.sensitive, digests.features, seed=0)
        whole.merge(stream)
        fingerprint = fingerprint.followed_by(digests)
    assert whole is not None
    return whole, fingerprint
