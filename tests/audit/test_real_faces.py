"""On real faces the battery must read what is known to be there: else it proves nothing."""

import os
from pathlib import Path

import numpy as np
import pytest

from sensitivenets.audit import split_by_column
from sensitivenets.audit.attack import run_trial
from sensitivenets.audit.attackers.linear_quadratic import quadratic, regularised_qda
from sensitivenets.audit.attackers.smooth_functions import rbf_svm
from sensitivenets.audit.battery import summarise_classes
from sensitivenets.audit.preparations import prepare
from sensitivenets.audit.tasks import ClassTask
from sensitivenets.embeddings import read_table

pytestmark = pytest.mark.skipif(
    "SENSITIVENETS_DATA" not in os.environ, reason="SENSITIVENETS_DATA is unset: no real faces"
)


@pytest.fixture(scope="module")
def faces():
    table = read_table(Path(os.environ["SENSITIVENETS_DATA"]) / "fairface.parquet")
    split = split_by_column(table.labels("split"), "attack_train", "attack_test")
    order = np.concatenate([split.train, split.test])
    return table, split, prepare(table.vectors[order], len(split.train))


@pytest.mark.parametrize(("attribute", "least"), [("gender", 0.88), ("ethnicity", 0.83)])
def test_the_strongest_attackers_read_raw_faces(faces, attribute, least):
    table, split, prepared = faces
    task = ClassTask.make(table.labels(attribute), split, 0)
    rows = prepared.by_name["whitened"].rotated
    attackers = (regularised_qda(), quadratic(), rbf_svm())
    trials = [run_trial(attacker, "whitened", rows, task, 0) for attacker in attackers]
    truth = task.truth(np.arange(len(rows)), 0)
    battery = summarise_classes("before", trials, task, truth).result
    assert battery.strongest.n == 1800
    assert battery.strongest.balanced_accuracy >= least
    assert battery.strongest.above_chance
    # The attacker that validation chose, without a look at the test rows, is nearly as strong.
    assert battery.selected.balanced_accuracy > least - 0.02
