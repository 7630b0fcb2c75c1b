"""Automatic recruitment on synthetic profiles: biased scores, and what an agnostic face changes.

A recruiter learns from past scores in which every woman got three quarters of what she deserved. It
is never told the gender; it finds it in the embedding of the face. Nothing is downloaded::

    python docs/examples/recruitment.py
"""

import numpy as np
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from sensitivenets.datasets import synthetic_recruitment
from sensitivenets.datasets.recruitment import MERITS
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.fairness import compare_scores

# 3 000 made-up applications: merits that know no gender, and a face that shows it.
table = synthetic_recruitment(3000)
train = np.array(table.column("split").to_pylist()) == "train"
merits = np.stack([table.column(name).to_numpy() for name in MERITS], axis=1)
past = table.column("score_gender_biased").to_numpy()
gender = table.labels("gender")

# A map fitted on the training faces hides gender in all of them.
women = np.array(table.column("gender").to_pylist())
eraser = RoutedTransport(random_state=0)
eraser.fit(table.vectors[train], sensitive={"gender": women[train]})
faces = {"no face": None, "face": table.vectors, "agnostic": eraser.transform(table.vectors)}

found = {}
for name, face in faces.items():
    X = merits if face is None else np.hstack([merits, face])
    X = StandardScaler().fit(X[train]).transform(X)
    recruiter = MLPRegressor(
        hidden_layer_sizes=(40, 20), alpha=1.0, early_stopping=True, random_state=0
    )
    scores = np.clip(recruiter.fit(X[train], past[train]).predict(X[~train]), 0, 1)
    found[name] = compare_scores(scores, gender.take(np.flatnonzero(~train)))
    print(  # noqa: T201
        f"{name:>8}: KL {found[name].divergence:.3f} (by chance {found[name].by_chance:.3f}), "
        f"women among the best 100: {100 * found[name].top['Female']:.0f}"
    )
