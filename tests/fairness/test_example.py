import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs/examples/fairlearn_metricframe.py"


def test_fairlearn_counts_the_rates_that_we_count(capsys):
    pytest.importorskip("fairlearn", reason="fairlearn is not installed")
    left = runpy.run_path(str(EXAMPLE))
    printed = capsys.readouterr().out
    assert "Female" in printed
    assert left["frame"].difference()["TPR"] == pytest.approx(abs(left["ours"].gap))
    assert left["ours"].gap > 0.05  # the biased training set did teach a bias
