"""What an audit is given, as a person has it in hand: tables or arrays, columns or labels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sensitivenets.audit.advantages.gather import Material
from sensitivenets.audit.advantages.rows_on_top import LabelledRows
from sensitivenets.audit.inversion import Phi
from sensitivenets.audit.look_alikes import look_alikes_across
from sensitivenets.audit.splits import Split, split_by_identity, split_rows, without_look_alikes
from sensitivenets.embeddings import EmbeddingTable, FloatArray, Labels, as_vectors, encode
from sensitivenets.embeddings.label_doubts import (
    classes_of_nothing,
    require_distinct_classes,
    without_blanks,
)
from sensitivenets.embeddings.labels import aligned, encode_attributes, joint, row_index
from sensitivenets.embeddings.same_rows import match_rows
from sensitivenets.errors import DataWarning, InputError

NOT_IDENTIFIED = (
    "identities were not given: rows were split at random, each as a person of its own, and an "
    "attacker that recognises someone on both sides need not read the attribute; give the identity"
)


@dataclass(frozen=True)
class AuditInputs:
    """What an audit looks at.

    Attributes
    ----------
    before : ndarray of shape (n, d)
        The embeddings as they were, or the only ones.
    after : ndarray of shape (n, k) or None
        The same rows after the map.
    files : dict of str to str or None
        Where each side came from; None for an array.
    attributes : dict of str to Labels
        What to attack.
    continuous : dict of str to ndarray of shape (n,)
        Attributes that are numbers; NaN where unknown.
    subject : Labels or None
        Identity of each row, where it is known.
    subgroups : dict of str to Labels
        More columns, by whose values to look into subgroups.
    domain : Labels or None
        Source of each row, where verification across sources is asked for.
    key : str or None
        The column of both tables that tells all rows apart, if there is one.
    notes : tuple of str
        What a reader must know of the tables.
    """

    before: FloatArray
    after: FloatArray | None
    files: dict[str, str | None]
    attributes: dict[str, Labels]
    continuous: dict[str, FloatArray]
    subject: Labels | None
    subgroups: dict[str, Labels] = field(default_factory=dict)
    domain: Labels | None = None
    key: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def sides(self) -> dict[str, FloatArray]:
        """The embeddings that there are, under "before" and "after"."""
        return {"before": self.before} | ({} if self.after is None else {"after": self.after})


def read_inputs(
    before: EmbeddingTable | FloatArray,
    after: EmbeddingTable | FloatArray | None,
    attributes: Any,
    continuous: Any,
    identity: Any,
    subgroups: Any = None,
    domain: Any = None,
) -> AuditInputs:
    """Bring what a person has in hand into one form; see `audits.audit` for the kinds.

    Raises
    ------
    InputError
        If a column is named but the first table has none, labels and rows differ in number, an
        attribute has one class only, or the two tables are not of the same rows.
    """
    subject = None if identity is None else _identity(before, identity)
    notes: tuple[str, ...] = ()
    key = None
    if isinstance(before, EmbeddingTable) and isinstance(after, EmbeddingTable):
        matched = match_rows(before, after)
        after, key = matched.table, matched.key
        if matched.moved:
            notes = (f"{matched.moved} rows of the table after were brought to their {key!r}",)
    read, numbers = _attributes(before, attributes), _numbers(before, continuous)
    if not read and not numbers:
        raise InputError("audit: expected at least one attribute, found none; name one to attack")
    notes += tuple(_warn(doubt) for one in read.values() if (doubt := classes_of_nothing(one)))
    return AuditInputs(
        before=as_vectors(before, "table before"),
        after=None if after is None else as_vectors(after, "table after"),
        files={"before": _file(before), "after": _file(after)},
        attributes=read,
        continuous=numbers,
        subject=subject,
        subgroups=_attributes(before, subgroups),
        domain=None if domain is None else _domain(before, domain),
        key=key,
        notes=notes,
    )


def read_material(
    phi: Phi | None,
    unlabelled: EmbeddingTable | FloatArray | None,
    outsiders: EmbeddingTable | None,
    attributes: Mapping[str, Labels],
) -> Material:
    """Bring what an adversary has on top into one form.

    Raises
    ------
    InputError
        If there are rows on top without a map, or outsiders lack a column that is attacked.
    """
    given = {"unlabelled": unlabelled, "outsiders": outsiders}
    useless = [name for name, table in given.items() if table is not None and phi is None]
    if useless:
        raise InputError(
            f"{useless[0]}: expected the model as well, since these rows are pushed through the "
            "map; give it, or leave them out"
        )
    return Material(
        phi,
        None if unlabelled is None else as_vectors(unlabelled, "unlabelled"),
        None
        if outsiders is None
        else LabelledRows(outsiders.vectors, outsiders.attributes(list(attributes))),
    )


def crossed(attributes: Mapping[str, Labels]) -> dict[str, Labels]:
    """Add the combination of several attributes."""
    if len(attributes) < 2:
        return dict(attributes)
    both = joint(attributes)
    return {**attributes, both.name: both}


def part_rows(
    inputs: AuditInputs, split: Split | None, apart: float | None, random_state: int
) -> tuple[Split, tuple[str, ...]]:
    """Decide who trains the attackers and who is attacked, and say what a reader must know of it.

    Returns
    -------
    split : Split
        The one given, or else by identity, or else by rows.
    notes : tuple of str
        That identities are unknown; how many training rows were left out.

    Raises
    ------
    InputError
        If there are too few identities or rows, or `apart` is no cosine or leaves no row.
    """
    notes: tuple[str, ...] = ()
    if split is not None and split.groups is None and inputs.subject is not None:
        split = replace(split, groups=inputs.subject)
    elif split is None and inputs.subject is not None:
        split = split_by_identity(inputs.subject, seed=random_state)
    elif split is None:
        split = split_rows(len(inputs.before), seed=random_state)
        notes = (NOT_IDENTIFIED,)
    if apart is None:
        found = "" if split.groups is not None else look_alikes_across(split, inputs.before)
        return split, (*notes, *([_warn(found)] if found else []))
    try:
        kept = without_look_alikes(split, inputs.before, apart)
    except InputError as error:
        raise InputError(f"apart: {error}") from None
    n_train = len(split.train)
    left_out = (
        f"{n_train - len(kept.train)} of {n_train} training rows left out: the cosine with a test "
        f"row is {apart:g} or more"
    )
    return kept, (*notes, left_out)


def _warn(note: str) -> str:
    warnings.warn(note, DataWarning, stacklevel=4)
    return note


def _file(table: EmbeddingTable | FloatArray | None) -> str | None:
    return table.source if isinstance(table, EmbeddingTable) else None


def _names(table: EmbeddingTable | FloatArray, given: Any) -> list[str] | None:
    """Return the columns that are named, or None if these are values and no names."""
    if isinstance(given, str):
        return [given]
    is_list = isinstance(given, Sequence) and len(given) > 0
    if not is_list or not all(isinstance(name, str) for name in given):
        return None
    # As many texts as rows are labels, unless they are columns.
    if isinstance(table, EmbeddingTable) and set(given) <= set(table.columns.column_names):
        return list(given)
    return None if len(given) == len(table) else list(given)


def _columns(table: EmbeddingTable | FloatArray, names: Sequence[str]) -> EmbeddingTable:
    if isinstance(table, EmbeddingTable):
        return table
    raise InputError(
        f"audit: expected labels, found the name {names[0]!r}, but an array has no columns; "
        f"give an EmbeddingTable, or a mapping such as {{{names[0]!r}: labels}}"
    )


def _attributes(table: EmbeddingTable | FloatArray, given: Any) -> dict[str, Labels]:
    if given is None or (isinstance(given, (Mapping, Sequence)) and len(given) == 0):
        return {}
    names = _names(table, given)
    if names is not None:
        return _columns(table, names).attributes(names)
    found = _labels(table, given)
    for labels in found.values():
        require_distinct_classes(labels)
    return found


def _labels(table: EmbeddingTable | FloatArray, given: Any) -> dict[str, Labels]:
    if isinstance(given, Labels):
        return {given.name: given}
    if not isinstance(given, Mapping):
        return encode_attributes(given, len(table), row_index(table))
    found: dict[str, Labels] = {}
    for name, values in given.items():
        if isinstance(values, Labels):
            found[str(name)] = replace(values, name=str(name))
        else:
            found |= encode_attributes({name: values}, len(table), row_index(table))
    return found


def _identity(table: EmbeddingTable | FloatArray, given: Any) -> Labels:
    if isinstance(given, Labels):
        return without_blanks(given)
    if isinstance(given, str):
        return _columns(table, [given]).identities(given)
    return without_blanks(_one_a_row(table, given, "identity"))


def _domain(table: EmbeddingTable | FloatArray, given: Any) -> Labels:
    if isinstance(given, str):
        return _columns(table, [given]).labels(given)
    return given if isinstance(given, Labels) else _one_a_row(table, given, "domain")


def _one_a_row(table: EmbeddingTable | FloatArray, given: Any, name: str) -> Labels:
    labels = encode(name, aligned(given, row_index(table), name))
    if len(labels) != len(table):
        raise InputError(f"{name}: expected one for each of {len(table)} rows, found {len(labels)}")
    return labels


def _numbers(table: EmbeddingTable | FloatArray, given: Any) -> dict[str, FloatArray]:
    """Read attributes that are numbers; NaN where a row has none."""
    if given is None or len(given) == 0:
        return {}
    if isinstance(given, Mapping):
        return {
            str(name): np.asarray(aligned(values, row_index(table), f"attribute {name!r}"))
            for name, values in given.items()
        }
    names = _names(table, given)
    if names is None:
        raise InputError(
            "continuous: expected names of columns, or a mapping of name to numbers, found "
            f"{type(given).__name__}; give {{'age': numbers}}"
        )
    source = _columns(table, names)
    return {name: source.numbers(name) for name in names}
