"""Fig. 4 of the paper: two-dimensional t-SNE maps of the same rows before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from sensitivenets.embeddings.arrays import FloatArray, check_vectors
from sensitivenets.embeddings.collapse import measure_collapse
from sensitivenets.embeddings.labels import Labels, joint
from sensitivenets.errors import InputError

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MapPair:
    """Maps of the same rows, made with the same seed. A picture proves nothing: attackers do.

    Attributes
    ----------
    attributes : tuple of str
        Names of the attributes that the groups cross.
    groups : tuple of tuple of str
        Classes of each group, in the order of `attributes`: ``("Female", "Group 1")``.
    codes : ndarray of shape (m,), int64
        Index of each point's group.
    rows : ndarray of shape (m,), int64
        Row numbers in the table.
    before : ndarray of shape (m, 2)
        Coordinates of x; only neighbourhoods mean something, not axes or distances.
    after : ndarray of shape (m, 2) or None
        Coordinates of phi(x).
    perplexity : float
        Effective number of neighbours that t-SNE keeps together.
    random_state : int
        The seed.
    """

    attributes: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    codes: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    before: Points
    after: Points | None
    perplexity: float
    random_state: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; coordinates are rounded to a hundredth."""
        return {
            "attributes": list(self.attributes),
            "groups": [list(group) for group in self.groups],
            "codes": self.codes.tolist(),
            "rows": self.rows.tolist(),
            "before": np.round(self.before, 2).tolist(),
            "after": None if self.after is None else np.round(self.after, 2).tolist(),
            "perplexity": self.perplexity,
            "random_state": self.random_state,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MapPair:
        """Rebuild from what `to_dict` returned.

        Raises
        ------
        InputError
            If a key is missing or the arrays do not fit each other.
        """
        try:
            pair = cls(
                attributes=tuple(map(str, data["attributes"])),
                groups=tuple(tuple(map(str, group)) for group in data["groups"]),
                codes=np.asarray(data["codes"], dtype=np.int64),
                rows=np.asarray(data["rows"], dtype=np.int64),
                before=np.asarray(data["before"], dtype=np.float64),
                after=None
                if data["after"] is None
                else np.asarray(data["after"], dtype=np.float64),
                perplexity=float(data["perplexity"]),
                random_state=int(data["random_state"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"maps: expected what compute_maps wrote, {error!r}") from error
        shape = (len(pair.codes), 2)
        if pair.before.shape != shape or (pair.after is not None and pair.after.shape != shape):
            raise InputError(
                f"maps: expected {shape[0]} points for {shape[0]} group codes, "
                f"found {pair.before.shape}"
            )
        if not np.isin(pair.codes, np.arange(len(pair.groups))).all():
            raise InputError(f"maps: expected group codes below {len(pair.groups)}")
        return pair


def compute_maps(
    before: FloatArray,
    after: FloatArray | None,
    attributes: Mapping[str, Labels],
    *,
    n_rows: int = 1500,
    random_state: int = 0,
    perplexity: float = 30.0,
) -> MapPair:
    """Map a sample of the rows to the plane, once from x and once from phi(x).

    Parameters
    ----------
    before : ndarray of shape (n, d)
        Embeddings x.
    after : ndarray of shape (n, k) or None
        Embeddings phi(x) of the same rows.
    attributes : mapping of str to Labels
        One or more attributes; their crossing gives the groups. Rows that miss one are not drawn.
    n_rows : int, default=1500
        Rows to draw, as evenly over the groups as they allow.
    random_state : int, default=0
        The seed, of the sample and of both maps.
    perplexity : float, default=30
        Lowered for small samples.

    Returns
    -------
    MapPair
        Coordinates and groups; see `plots.plot_map`.

    Raises
    ------
    InputError
        If the tables or labels differ in rows, or fewer than ten rows carry all attributes.

    References
    ----------
    van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 9, 2008. Started from the
    principal components, so that one seed gives one picture (Kobak and Berens 2019).
    """
    crossed = joint(attributes)
    for name, vectors in (("before", before), ("after", after)):
        if vectors is not None:
            check_vectors(vectors, name)
            if len(vectors) != len(crossed):
                raise InputError(
                    f"{name}: expected {len(crossed)} embeddings, one for each label, found "
                    f"{len(vectors)}; give all the same rows in the same order"
                )
    rows = _even_sample(crossed, n_rows, random_state)
    if len(rows) < 10:
        raise InputError(
            f"expected at least 10 rows with a label of {crossed.name}, found {len(rows)}; "
            "a map of so few says nothing"
        )
    perplexity = min(perplexity, (len(rows) - 1) / 3)
    parts = list(attributes.values())
    firsts = [np.flatnonzero(crossed.codes == code)[0] for code in range(len(crossed.classes))]
    return MapPair(
        attributes=tuple(attributes),
        groups=tuple(tuple(p.classes[p.codes[row]] for p in parts) for row in firsts),
        codes=crossed.codes[rows],
        rows=rows,
        before=_coordinates(before[rows], perplexity, random_state),
        after=None if after is None else _coordinates(after[rows], perplexity, random_state),
        perplexity=perplexity,
        random_state=random_state,
    )


def _even_sample(groups: Labels, n_rows: int, random_state: int) -> npt.NDArray[np.int64]:
    """Draw rows so that the largest share of any group is as small as the data allow."""
    rng = np.random.default_rng(random_state)
    order = rng.permutation(np.flatnonzero(groups.labelled))
    codes = groups.codes[order]
    # The k-th row of each group comes before the (k+1)-th row of any other.
    rank = np.empty(len(order), dtype=np.int64)
    for code in range(len(groups.classes)):
        members = np.flatnonzero(codes == code)
        rank[members] = np.arange(len(members))
    return order[np.argsort(rank, kind="stable")[:n_rows]]


def _coordinates(vectors: FloatArray, perplexity: float, random_state: int) -> Points:
    # Principal components of a constant are not defined, nor is a map: all points in one place.
    if measure_collapse(vectors).is_constant:
        return np.zeros((len(vectors), 2))
    # t-SNE squares distances in float32: a tiny scale would underflow there.
    scaled = np.asarray(vectors, dtype=np.float64) - vectors.mean(axis=0, dtype=np.float64)
    scaled /= np.abs(scaled).max()
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=random_state, n_jobs=1)
    # One thread: sums in one order, so that one seed gives one picture on any machine.
    with threadpool_limits(1):
        return np.asarray(tsne.fit_transform(scaled), dtype=np.float64)
