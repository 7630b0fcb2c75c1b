import dataclasses
import os

import numpy as np
import pytest

from sensitivenets.audit import AttackerResult, Headline, split_by_column
from sensitivenets.benchmark.inputs import Attacking, Fitting, Inputs, Verifying
from sensitivenets.benchmark.record import (
    AcceptRate,
    AttackFigures,
    Figures,
    RunRecord,
    VerificationFigures,
)
from sensitivenets.datasets import synthetic_diveface
from sensitivenets.intervals import Estimate

OWN = '''
import os, signal, time
from pathlib import Path
from sensitivenets.erasers.baselines import Unchanged

class Raises(Unchanged):
    def _learn(self, data):
        raise RuntimeError("cannot be\\nlearned")

class Dies(Unchanged):
    def _learn(self, data):
        os.kill(os.getpid(), signal.SIGKILL)

class Leaves(Unchanged):
    def _learn(self, data):
        os._exit(7)

class Waits(Unchanged):
    """Waits while the file named in WAIT is there."""
    def _learn(self, data):
        Path(os.environ["WAIT"]).with_suffix(".seen").write_text(str(os.getpid()))
        while Path(os.environ["WAIT"]).exists():
            time.sleep(0.05)
        return super()._learn(data)
'''


@pytest.fixture(scope="session")
def table():
    return synthetic_diveface(80, 2, dim=32, random_state=0)


@pytest.fixture(scope="session")
def inputs(table):
    """84 rows to fit on, 52 to learn an attack from, 24 to attack and to verify."""
    fit_rows = table.where("split", "fit")
    subject = table.labels("subject")
    split = split_by_column(table.labels("split"), "attack_train", "attack_test", subject)
    return Inputs(
        Fitting(fit_rows.vectors, fit_rows.labels("subject"), fit_rows.attributes(["gender"])),
        Attacking(table.vectors, table.attributes(["gender"]), split),
        Verifying(table.vectors[split.test], subject.take(split.test)),
    )


@pytest.fixture
def own_methods(tmp_path, monkeypatch):
    """A module of methods that go wrong, which worker processes can import."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "own_methods.py").write_text(OWN)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("WAIT", str(tmp_path / "wait"))
    monkeypatch.syspath_prepend(folder)
    return "own_methods"


def _estimate(value, spread=0.05):
    return Estimate(value, value - spread, value + spread, 100)


@pytest.fixture
def record_of():
    """Makes records of runs whose figures are written down, not computed."""
    return _record_of


def _record_of(method, leakage, accuracy, seed=0, *, above=True, shuffled=True, **parameters):
    leakages = leakage if isinstance(leakage, dict) else {"gender": leakage}
    figures = Figures(
        fit_seconds=1.0 + seed,
        transform_rows_per_second=1e5,
        peak_memory=2**20 * (1 + seed),
        n_features=32,
        attributes=tuple(_attack(n, v, above, shuffled) for n, v in leakages.items()),
        inversion_cosine=None,
        verification=(
            VerificationFigures(
                "view2",
                600,
                _estimate(accuracy, 0.01),
                _estimate(1 - accuracy, 0.01),
                (AcceptRate(1e-3, None if accuracy < 0.6 else _estimate(accuracy - 0.1)),),
            ),
        ),
    )
    key = f"{method}-{sorted(parameters.items())}-{seed}"
    return RunRecord(key, "context", method, parameters, seed, figures, None)


def _attack(name, value, above, shuffled):
    def attacker(who, preparation, reads):
        return AttackerResult(who, preparation, reads, reads - 0.05, reads + 0.05, None, 100)

    top = Headline("SVM", "whitened", value, value - 0.05, value + 0.05, 100, 0.6, above)
    attackers = (
        attacker("majority class", "none", 0.5),
        attacker("SVM", "raw", value - 0.02),
        attacker("SVM", "whitened", value),
        dataclasses.replace(attacker("NN", "raw", 0.5), balanced_accuracy=None),
    )
    return AttackFigures(name, 0.5, top, top, attackers, (), shuffled)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
