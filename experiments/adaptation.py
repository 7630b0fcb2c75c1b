"""Tables protected with their own moments, and people who came later (docs/adapt_log.md).

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/adaptation.py --seeds 0 1 2
    ... --table CelebA --remove gender --seeds 0 1 2
    ... --new                                              # adapt to 60 % of people, attack others

The reference is FairFace `fit`, gender x ethnicity, one round. Attackers (25 and 75 neighbours,
discriminant analyses of four shrinkages, and with --kernel a kernel machine) are trained and
tested inside each table, on disjoint subjects where it has subjects. A figure is the maximum over
attackers and over both signs (the answer, and its opposite), without a selection on a validation
part: a little pessimistic. No label of a table is used to adapt to it, and no constant was chosen
with one.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from sensitivenets.embeddings import EmbeddingTable, FloatArray, read_table
from sensitivenets.erasers.transport.adapt import adapt
from sensitivenets.erasers.transport.forecast import forecast
from sensitivenets.erasers.transport.place import transform_table
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.maps.base import Model
from sensitivenets.verification import read_pairs, verify

Int64 = npt.NDArray[np.int64]

_NEIGHBOURS, _SHRINKAGES = (25, 75), (0.1, 0.3, 0.6, 0.9)
_TRAINED, _FMR, _IMPOSTOR_ROWS = 0.6, 1e-3, 3000


@dataclass(frozen=True)
class Protected:
    """A table, the labels that attackers are judged by (-1: unlabelled), and its subjects."""

    X: FloatArray
    labels: Mapping[str, Int64]
    subjects: Int64 | None
    split: tuple[Int64, Int64] | None = None

    def splits(self, seed: int) -> tuple[Int64, Int64]:
        """Rows that attackers learn from, and rows that they are tested on."""
        if self.subjects is not None:
            return split_of(self.subjects, seed)
        if seed == 0 and self.split is not None:
            return self.split
        order = np.random.default_rng(seed).permutation(len(self.X))
        return order[:7200], order[7200:]


@dataclass(frozen=True)
class Options:
    """Seeds of the attackers' splits, how far own moments are trusted, and the slow attacker."""

    seeds: tuple[int, ...]
    strength: float
    kernel: bool


def split_of(subjects: Int64, seed: int) -> tuple[Int64, Int64]:
    """Deal 60 % of the subjects to the first part."""
    chosen = np.random.default_rng(seed).random(int(subjects.max()) + 1) < _TRAINED
    return np.flatnonzero(chosen[subjects]), np.flatnonzero(~chosen[subjects])


def codes(table: EmbeddingTable, name: str, classes: Sequence[str]) -> Int64:
    """Return the number of each row's class, as the reference numbers them."""
    number = {c: k for k, c in enumerate(classes)}
    return np.array([number.get(value, -1) for value in table.column(name).to_pylist()])


def tables(folder: Path, remove: Sequence[str]) -> tuple[Model, dict[str, Protected]]:
    """Return the model of the reference, and the tables to protect."""
    fairface = read_table(folder / "fairface.parquet")
    known = fairface.where("split", "fit")
    sensitive = {name: known.column(name) for name in remove}
    model = RoutedTransport(n_rounds=1, random_state=0).fit(known.vectors, sensitive=sensitive)
    classes = model.model_.removed
    part = np.array(fairface.column("split").to_pylist())
    others = fairface.take(part != "fit")
    part = part[part != "fit"]
    halves = tuple(np.flatnonzero(part == name) for name in ("attack_train", "attack_test"))
    found = {
        "FairFace": Protected(
            others.vectors,
            {name: codes(others, name, classes[name]) for name in remove},
            None,
            (halves[0], halves[1]),
        )
    }
    for title in ("LFW", "CelebA"):
        table = read_table(folder / f"{title.lower()}.parquet")
        named = [name for name in remove if name in table.columns.column_names]
        # Sorted as text: which half of the table a subject is in depends on the number.
        named_by = [str(subject) for subject in table.column("subject").to_pylist()]
        subjects = np.unique(named_by, return_inverse=True)[1]
        labels = {name: codes(table, name, classes[name]) for name in named}
        found[title] = Protected(table.vectors, labels, subjects)
    return model.model_, found


def whitened(Z: FloatArray, train: Int64) -> FloatArray:
    """Whiten rows as those of the attacker are white."""
    center = Z[train].mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((Z[train] - center).T))
    kept = values > values[-1] * 1e-6
    return ((Z - center) @ (vectors[:, kept] / np.sqrt(values[kept]))).astype(np.float32)


def neighbour_scores(
    Z: FloatArray, train: Int64, test: Int64, known: Int64
) -> Iterator[FloatArray]:
    """Share of each class among the nearest rows, over its share of all."""
    unit = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    one_hot = np.eye(known.max() + 1)[known[train]] * (known[train] >= 0)[:, None]
    prior = one_hot.sum(axis=0) / one_hot.sum()
    most = max(_NEIGHBOURS)
    near = np.empty((len(test), most), dtype=np.int64)
    for start in range(0, len(test), 1000):
        cosines = unit[test[start : start + 1000]] @ unit[train].T
        found = np.argpartition(-cosines, most, axis=1)[:, :most]
        order = np.argsort(-np.take_along_axis(cosines, found, 1), axis=1)
        near[start : start + 1000] = np.take_along_axis(found, order, 1)
    for k in _NEIGHBOURS:
        yield one_hot[near[:, :k]].mean(axis=1) / prior


def quadratic_scores(
    W: FloatArray, train: Int64, test: Int64, known: Int64
) -> Iterator[FloatArray]:
    """Log densities of Gaussian classes, their covariances shrunk towards the mean of all."""
    parts = [W[train][known[train] == c] for c in range(known.max() + 1)]
    covariances = [np.cov(rows.T) for rows in parts]
    pooled = sum(len(r) * c for r, c in zip(parts, covariances, strict=True)) / sum(map(len, parts))
    for amount in _SHRINKAGES:
        scores = np.empty((len(test), len(parts)))
        for c, (rows, covariance) in enumerate(zip(parts, covariances, strict=True)):
            values, vectors = np.linalg.eigh((1 - amount) * covariance + amount * pooled)
            values = np.maximum(values, 1e-4)
            white = ((W[test] - rows.mean(axis=0)) @ vectors) / np.sqrt(values)
            scores[:, c] = -((white**2).sum(axis=1) + np.log(values).sum()) / 2
        yield scores


def kernel_scores(W: FloatArray, train: Int64, test: Int64, known: Int64) -> Iterator[FloatArray]:
    """Kernel ridge regression with a Gaussian kernel on the classes."""
    squares = (W**2).sum(axis=1)

    def kernel(rows: Int64) -> FloatArray:
        return np.exp(
            (2 * W[rows] @ W[train].T - squares[rows, None] - squares[train]) / W.shape[1]
        )

    one_hot = np.eye(known.max() + 1)[known[train]] * (known[train] >= 0)[:, None]
    prior = one_hot.sum(axis=0) / one_hot.sum()
    targets = one_hot - prior * (known[train] >= 0)[:, None]
    solved = cho_solve(cho_factor(kernel(train) + np.eye(len(train)), lower=True), targets)
    yield kernel(test) @ solved / prior


def strongest(Z: FloatArray, rows: tuple[Int64, Int64], known: Int64, *, kernel: bool) -> float:
    """Most that an attacker of either sign reads: balanced accuracy in percent."""
    train, test = rows
    W = whitened(Z, train)
    found = [*neighbour_scores(Z, train, test, known), *quadratic_scores(W, train, test, known)]
    found += kernel_scores(W, train, test, known) if kernel else []
    truth = known[test]
    read = [
        np.mean([np.mean(guess[truth == c] == c) for c in range(known.max() + 1)])
        for scores in found
        for guess in (scores.argmax(axis=1), scores.argmin(axis=1))
    ]
    return 100 * float(max(read))


def own_tar(Z: FloatArray, subjects: Int64) -> float:
    """TAR of all genuine pairs of a table at an FMR of 1e-3, from 3 000 rows x all, in percent."""
    unit = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    drawn = np.random.default_rng(0).permutation(len(Z))[:_IMPOSTOR_ROWS]
    impostors = (unit[drawn] @ unit.T)[subjects[drawn, None] != subjects]
    k = int(_FMR * impostors.size)
    threshold = -np.partition(-impostors, k)[k]
    accepted = total = 0
    order = np.argsort(subjects, kind="stable")
    for rows in np.split(order, np.cumsum(np.bincount(subjects))[:-1]):
        cosines = (unit[rows] @ unit[rows].T)[np.triu_indices(len(rows), 1)]
        accepted, total = accepted + int((cosines > threshold).sum()), total + cosines.size
    return 100 * accepted / total


def lfw_view_2(Z: FloatArray, folder: Path) -> str:
    """Accuracy on view 2 of LFW, and TAR at an FMR of 1e-3 on its 3 000 pairs of strangers."""
    pairs = read_pairs(folder / "lfw_pairs.parquet", protocol="view2")
    accuracy = verify(Z, pairs, n_bootstrap=0).accuracy.estimate.value
    unit = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    cosines = np.einsum("ij,ij->i", unit[pairs.left], unit[pairs.right])
    strangers = np.sort(cosines[~pairs.same])[::-1]
    threshold = strangers[int(_FMR * len(strangers))]
    return f"LFW {100 * accuracy:.2f} / {100 * np.mean(cosines[pairs.same] > threshold):.1f}"


def protect(model: Model, name: str, folder: Path, table: Protected, options: Options) -> None:
    """Adapt to all rows of a table, attack them, and say what recognition costs."""
    found = adapt(model, table.X, subjects=table.subjects, strength=options.strength)
    held = table.subjects is not None
    Z = transform_table(found.map, table.X, table.subjects) if held else found.map(table.X)
    lfw = Z if name == "LFW" else found.map(read_table(folder / "lfw.parquet").vectors)
    kept = [] if name == "CelebA" else [lfw_view_2(lfw, folder)]
    kept += [f"own TAR {own_tar(Z, table.subjects):.1f}"] if held else []
    for seed in options.seeds:
        rows = table.splits(seed)
        read = {
            attribute: strongest(Z, rows, known, kernel=options.kernel)
            for attribute, known in table.labels.items()
        }
        said = ", ".join(f"{attribute} {value:.1f}" for attribute, value in read.items())
        print(f"{name}, seed {seed}: {said}; {'; '.join(kept)}", flush=True)
    for doubt in found.doubts:
        print(f"  doubt: {doubt}")


def later(model: Model, name: str, table: Protected, options: Options) -> None:
    """Adapt to 60 % of a table, and attack the others as people who came later."""
    grid = np.indices([len(classes) for classes in model.removed.values()])
    of_group = {n: grid[k].ravel() for k, n in enumerate(model.removed)}
    for seed in options.seeds:
        now, then = table.splits(seed + 1)
        known = None if table.subjects is None else table.subjects[now]
        found = adapt(model, table.X[now], subjects=known, strength=options.strength)
        people = np.arange(len(then)) if table.subjects is None else table.subjects[then]
        rows = split_of(np.unique(people, return_inverse=True)[1], seed)
        Z = found.map(table.X[then])
        for attribute, labels in table.labels.items():
            read = strongest(Z, rows, labels[then], kernel=options.kernel)
            error, noise = np.array(found.error), np.array(found.noise)
            limited, unlimited = (
                forecast(
                    np.array(found.rows),
                    table.X.shape[1],
                    error,
                    noise=noise,
                    classes=of_group[attribute],
                    labels=n,
                ).accuracy
                for n in (len(rows[0]), None)
            )
            print(
                f"{name}, new rows, seed {seed}: {attribute} {read:.1f}, forecast "
                f"{100 * limited:.0f}, with unlimited labels {100 * unlimited:.0f}",
                flush=True,
            )


def main() -> None:
    """Run, one line a table and seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", nargs="+", default=["FairFace", "LFW", "CelebA"])
    parser.add_argument("--remove", nargs="+", default=["gender", "ethnicity"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--kernel", action="store_true", help="with the kernel machine, slow")
    parser.add_argument("--new", action="store_true", help="attack people who came later")
    chosen = parser.parse_args()
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    options = Options(tuple(chosen.seeds), chosen.strength, chosen.kernel)
    model, found = tables(folder, chosen.remove)
    for name in chosen.table:
        if chosen.new:
            later(model, name, found[name], options)
        else:
            protect(model, name, folder, found[name], options)


if __name__ == "__main__":
    main()
