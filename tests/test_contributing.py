"""The worked examples of CONTRIBUTING.md do what the page says."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensitivenets.audit import Split
from sensitivenets.audit.attack import run_trial
from sensitivenets.audit.tasks import ClassTask
from sensitivenets.embeddings import encode
from sensitivenets.erasers.base import Eraser

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def examples() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S):
        exec(compile(code, str(PAGE), "exec"), names)
    return names


def lines(code: str) -> int:
    return len(code.splitlines())


def test_they_are_short():
    eraser, attacker = re.findall(
        r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S
    )
    assert lines(eraser) < 60
    assert lines(attacker) < 40


def test_the_eraser_makes_the_class_means_equal(examples):
    rng = np.random.default_rng(0)
    classes = rng.integers(2, size=400)
    X = rng.standard_normal((400, 6)).astype(np.float32) + 2 * classes[:, None]
    eraser: Eraser = examples["MeanDirection"]()
    Z = eraser.fit_transform(X, sensitive={"group": classes})
    apart = [np.linalg.norm(T[classes == 1].mean(0) - T[classes == 0].mean(0)) for T in (X, Z)]
    assert apart[0] > 4
    assert apart[1] < 1e-4
    with pytest.raises(ValueError, match=r"strength"):
        examples["MeanDirection"](strength=2.0).fit(X, sensitive={"group": classes})


def test_the_attacker_reads_boxes_that_no_line_parts(examples):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(600, 4)).astype(np.float32)
    classes = (X[:, 0] * X[:, 1] > 0).astype(int)
    split = Split(np.arange(400), np.arange(400, 600))
    task = ClassTask.make(encode("box", classes), split, 0)
    trial = run_trial(examples["extra_trees"](), "standardised", X, task, 0)
    assert np.mean(trial.predictions == classes[400:]) > 0.85
