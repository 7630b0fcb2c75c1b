"""All advantages that the material at hand allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sensitivenets.audit.advantages.exact_inverse import exact_inverse
from sensitivenets.audit.advantages.free_labels import MOST_ROWS, free_labels
from sensitivenets.audit.advantages.outsiders import outsiders, read_outsiders
from sensitivenets.audit.advantages.rows_on_top import LabelledRows, Tables
from sensitivenets.audit.advantages.translation import translation
from sensitivenets.audit.attack import Advantage, Attacker, Workers
from sensitivenets.audit.attackers.linear_quadratic import logistic_regression, regularised_qda
from sensitivenets.audit.attackers.local_votes import nearest_neighbours
from sensitivenets.audit.inversion import Phi, push
from sensitivenets.audit.preparations import STANDARDISED, WHITENED
from sensitivenets.audit.results import Headline
from sensitivenets.audit.splits import Split
from sensitivenets.audit.tasks import ClassTask
from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.errors import InputError


@dataclass(frozen=True)
class Material:
    """What there is to attack with, beside the training rows.

    Attributes
    ----------
    phi : callable, optional
        The map, such as the `map` of a loaded model: it is public.
    unlabelled : ndarray of shape (m, d), optional
        Faces without labels, before the map. Without them, the rows of the table that are neither
        trained nor tested on.
    outsiders : LabelledRows, optional
        Labelled people who are in no row of the table, before the map.
    """

    phi: Phi | None = None
    unlabelled: FloatArray | None = None
    outsiders: LabelledRows | None = None


def gather(
    before: FloatArray,
    after: FloatArray,
    attributes: Mapping[str, Labels],
    split: Split,
    material: Material,
    *,
    random_state: int = 0,
) -> tuple[Advantage, ...]:
    """Make every advantage that there is material for.

    Parameters
    ----------
    before, after : ndarray of shape (n, d) and (n, k)
        The tables.
    attributes : mapping of str to Labels
        What is attacked, of the n rows.
    split : Split
        Training and test rows.
    material : Material
        What there is on top. Without a map only translation is left.
    random_state : int
        The seed.

    Returns
    -------
    tuple of Advantage
        For `audit`.

    Raises
    ------
    InputError
        If rows on top have another width than `before`.
    """
    tables = Tables.ordered(before, after, split)
    rest = np.setdiff1d(np.arange(len(before)), np.concatenate([split.train, split.test]))
    labels = {name: own.take(rest) for name, own in attributes.items()}
    found = translation(tables, LabelledRows(before[rest], labels), _readers(), random_state)
    phi = material.phi
    if phi is None:
        return found
    faces = before[rest] if material.unlabelled is None else material.unlabelled
    _require_width(faces, before, "unlabelled")
    faces = faces[np.sort(np.random.default_rng(random_state).permutation(len(faces))[:MOST_ROWS])]
    found += free_labels(tables, phi, faces)
    if material.unlabelled is None and len(rest):
        # Where the map was fitted on the other rows, it has left nothing to learn from them.
        found += free_labels(tables, phi, faces[:0], name="the training rows")
    found += exact_inverse(tables, phi, faces, _readers(), random_state)
    if material.outsiders is not None:
        found += outsiders(tables, _pushed(material.outsiders, phi, before), _readers())
    return found


def outsiders_read(
    before: FloatArray,
    after: FloatArray,
    attributes: Mapping[str, Labels],
    split: Split,
    material: Material,
    *,
    random_state: int = 0,
    workers: Workers | None = None,
) -> dict[str, Headline]:
    """Say what the table teaches about outsiders, the reverse of the attack by them.

    Parameters
    ----------
    before, after, attributes, split, material, random_state
        As for `gather`.
    workers : Workers, optional
        Who does the jobs; this process unless given.

    Returns
    -------
    dict of str to Headline
        The strongest attacker of each attribute; empty without outsiders or a map.
    """
    if material.outsiders is None or material.phi is None:
        return {}
    tasks = [ClassTask.make(labels, split, random_state) for labels in attributes.values()]
    order = np.concatenate([split.train, split.test])
    return read_outsiders(
        Tables.ordered(before, after, split),
        _pushed(material.outsiders, material.phi, before),
        tasks,
        split.identities(len(before))[order],
        _readers(),
        random_state=random_state,
        workers=workers or Workers(),
    )


def _pushed(others: LabelledRows, phi: Phi, before: FloatArray) -> LabelledRows:
    _require_width(others.vectors, before, "outsiders")
    return replace(others, vectors=push(phi, others.vectors))


def _require_width(rows: FloatArray, before: FloatArray, name: str) -> None:
    if rows.ndim != 2 or rows.shape[1] != before.shape[1]:
        raise InputError(
            f"{name}: expected rows of {before.shape[1]} features as in the table before, found an "
            f"array of shape {rows.shape}; use the network that made that table"
        )


def _readers() -> tuple[Attacker, ...]:
    """Three attackers that take a second: linear, quadratic, near."""
    return (
        replace(logistic_regression(), preparations=(STANDARDISED, WHITENED)),
        replace(regularised_qda(), preparations=(WHITENED,)),
        replace(nearest_neighbours(), preparations=(STANDARDISED,)),
    )
