"""Age taken out as a number: R^2 before and after (docs/continuous.md).

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/continuous.py
    ... --whole        # the whole audit's regressors on transport, the map known to them

FairFace's age bins stand for a number, the middle of each. Maps are fitted on the fit part; ridge
and kernel regression, boosted trees and neighbours are fitted anew on attack_train after each map
(only ridge chooses its strength, by cross-validation there), and read attack_test. Accuracy is
that of LFW view 2's kind of pairs, as many of each, drawn from LFW. The last line is what
`protect --continuous age` does to the attack rows: one round, their own moments.
"""

from __future__ import annotations

import argparse
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from sensitivenets import audit
from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import EmbeddingTable, FloatArray, read_table
from sensitivenets.embeddings.number_bands import number_bands
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.tradeoff.measure import accuracy_of_pairs
from sensitivenets.verification import Pairs
from sensitivenets.verification.drawn_pairs import draw_pairs

Int64 = npt.NDArray[np.int64]

_AGES = {
    "0-2": 1, "3-9": 6, "10-19": 15, "20-29": 25, "30-39": 35, "40-49": 45, "50-59": 55,
    "60-69": 65, "more than 70": 75,
}  # fmt: skip
_FITTED_ON = 12_000


def readers() -> dict[str, RegressorMixin]:
    """Regressors, new ones."""
    return {
        "ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 5, 13))),
        "kernel": make_pipeline(StandardScaler(), SVR(C=20)),
        "trees": HistGradientBoostingRegressor(random_state=0),
        "neighbours": KNeighborsRegressor(25),
    }


@dataclass(frozen=True)
class Faces:
    """FairFace with ages as numbers: rows to fit on, and those of attackers and attacked."""

    table: EmbeddingTable
    age: FloatArray
    fitted: Int64
    train: Int64
    test: Int64

    @classmethod
    def read(cls, folder: Path) -> Faces:
        """Read them."""
        table = read_table(folder / "fairface.parquet")
        age = np.array([_AGES[one] for one in table.column("age").to_pylist()], dtype=np.float64)
        part = np.array(table.column("split").to_pylist())
        train, test = (np.flatnonzero(part == f"attack_{one}") for one in ("train", "test"))
        return cls(table, age, np.flatnonzero(part == "fit")[:_FITTED_ON], train, test)

    def show(self, name: str, rows: FloatArray, faces: FloatArray, pairs: Pairs) -> None:
        """Print what is read of mapped rows, and the accuracy on mapped faces of LFW."""
        read = {
            which: r2_score(
                self.age[self.test],
                reader.fit(rows[self.train], self.age[self.train]).predict(rows[self.test]),
            )
            for which, reader in readers().items()
        }
        said = ", ".join(f"{which} {value:.3f}" for which, value in read.items())
        print(f"{name}: {said}; LFW {100 * accuracy_of_pairs(faces, pairs):.2f}", flush=True)


def every_map(faces: Faces, lfw: EmbeddingTable) -> None:
    """Print a line for each map."""
    pairs = draw_pairs(lfw.identities("subject"), 6000, 1, random_state=0)
    X = faces.table.vectors
    faces.show("raw", X, lfw.vectors, pairs)
    for n_bands in (4, 8):
        bands = {"age": number_bands(faces.age[faces.fitted], n_bands)}
        n_groups = len(set(bands["age"]))
        for name, eraser in (
            ("LEACE", LEACE(random_state=0)),
            ("transport, rank 16", RoutedTransport(n_rounds=3, rank=16, random_state=0)),
            ("transport", RoutedTransport(n_rounds=3, random_state=0)),
        ):
            phi = eraser.fit(X[faces.fitted], sensitive=bands)
            title = f"{name}, {n_groups} bands"
            faces.show(title, phi.transform(X), phi.transform(lfw.vectors), pairs)
    once = RoutedTransport(n_rounds=1, random_state=0).fit(X[faces.fitted], sensitive=bands)
    attack = np.concatenate([faces.train, faces.test])
    own = once.adapt(X[attack])
    title = f"own moments, {n_groups} bands"
    faces.show(title, own.transform(X), own.transform(lfw.vectors), pairs)


def whole_audit(faces: Faces) -> None:
    """Print the strongest regressor of the whole audit before, after, and the map undone."""
    bands = {"age": number_bands(faces.age[faces.fitted])}
    X = faces.table.vectors
    phi = RoutedTransport(random_state=0).fit(X[faces.fitted], sensitive=bands).model_
    rows = np.concatenate([faces.train, faces.test])
    n_train = len(faces.train)
    split = Split(np.arange(n_train), np.arange(n_train, len(rows)))
    found = audit(
        X[rows],
        phi.map(X[rows]),
        continuous={"age": faces.age[rows]},
        split=split,
        model=phi,
        n_jobs=1,
    )
    [age] = found.continuous
    for name, side in (("before", age.before), ("after", age.after), ("undone", age.inverted)):
        if side is not None:
            best = side.strongest
            print(f"{name}: {best.attacker} on {best.preparation} rows, R2 {best.r2:.3f}")
    print("trustworthy" if age.trustworthy else "; ".join(age.reasons))


def main() -> None:
    """Print a line for each map, or what the whole audit reads."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whole", action="store_true", help="the whole audit of transport")
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    faces = Faces.read(folder)
    if parser.parse_args().whole:
        whole_audit(faces)
    else:
        every_map(faces, read_table(folder / "lfw.parquet"))


if __name__ == "__main__":
    main()
