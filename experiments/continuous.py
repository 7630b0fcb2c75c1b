"""Age taken out as a number: R^2 before and after (docs/continuous.md).

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/continuous.py

FairFace's age bins stand for a number, the middle of each. Maps are fitted on the fit part; ridge
and kernel regression, boosted trees and neighbours are fitted anew on attack_train after each map
(only ridge chooses its strength, by cross-validation there), and read attack_test. Accuracy is
that of LFW view 2's kind of pairs, as many of each, drawn from LFW.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from sensitivenets.embeddings import FloatArray, read_table
from sensitivenets.embeddings.number_bands import number_bands
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.tradeoff.measure import accuracy_of_pairs
from sensitivenets.verification.drawn_pairs import draw_pairs

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


def main() -> None:
    """Print a line for each map."""
    warnings.simplefilter("ignore")
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    table, lfw = read_table(folder / "fairface.parquet"), read_table(folder / "lfw.parquet")
    age = np.array([_AGES[one] for one in table.column("age").to_pylist()], dtype=np.float64)
    part = np.array(table.column("split").to_pylist())
    fitted = np.flatnonzero(part == "fit")[:_FITTED_ON]
    train, test = (np.flatnonzero(part == f"attack_{one}") for one in ("train", "test"))
    pairs = draw_pairs(lfw.identities("subject"), 6000, 1, random_state=0)

    def show(name: str, rows: FloatArray, faces: FloatArray) -> None:
        read = {
            which: r2_score(age[test], reader.fit(rows[train], age[train]).predict(rows[test]))
            for which, reader in readers().items()
        }
        said = ", ".join(f"{which} {value:.3f}" for which, value in read.items())
        print(f"{name}: {said}; LFW {100 * accuracy_of_pairs(faces, pairs):.2f}", flush=True)

    show("raw", table.vectors, lfw.vectors)
    for n_bands in (4, 8):
        bands = {"age": number_bands(age[fitted], n_bands)}
        for name, eraser in (
            ("LEACE", LEACE(random_state=0)),
            ("transport, rank 16", RoutedTransport(n_rounds=3, rank=16, random_state=0)),
            ("transport", RoutedTransport(n_rounds=3, random_state=0)),
        ):
            phi = eraser.fit(table.vectors[fitted], sensitive=bands)
            n_groups = len(set(bands["age"]))
            show(
                f"{name}, {n_groups} bands",
                phi.transform(table.vectors),
                phi.transform(lfw.vectors),
            )


if __name__ == "__main__":
    main()
