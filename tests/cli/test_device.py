"""``--device``: torch multiplies, on the processor here; what cannot be is refused at the door."""

import numpy as np
import pytest

from sensitivenets.audit.attackers.on_device import kernels_on
from sensitivenets.cli.engine_options import DeviceOptions
from sensitivenets.cli.fit import _take_device
from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import read_table, write_table
from sensitivenets.erasers.dependence.farm import FaRM
from sensitivenets.errors import InputError

FIT = ("fit", "faces.parquet", "--remove", "gender", "--out")


@pytest.fixture(scope="module", autouse=True)
def faces(place):
    write_table(synthetic_diveface(300, 2, dim=32, random_state=0), place / "faces.parquet")


def test_fit_adapt_and_transform_say_what_they_say_without(run, tmp_path):
    for name, device in (("numpy", ()), ("torch", ("--device", "cpu"))):
        model, own, out = (tmp_path / f"{name}-{k}" for k in ("model", "own", "out.parquet"))
        routed = ("--method", "routed_transport", "--set", "n_rounds=1")
        assert run(*FIT, model, *routed, *device)[0] == 0
        assert run("adapt", model, "faces.parquet", "--out", own, *device)[0] == 0
        assert run("transform", own, "faces.parquet", "--out", out, *device)[0] == 0
    ours, theirs = (read_table(tmp_path / f"{n}-out.parquet").vectors for n in ("numpy", "torch"))
    np.testing.assert_allclose(theirs, ours, atol=1e-4)


def test_a_method_that_is_trained_is_told():
    eraser = FaRM()
    _take_device(eraser, "farm", DeviceOptions(device="cpu"))
    assert eraser.device == "cpu"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("transform", "model", "table.parquet"), "device 'meta': expected one on which torch"),
        (("adapt", "model", "table.parquet"), "device 'meta': expected one on which torch"),
        ((*FIT[:-1], "--method", "routed_transport"), "device 'meta': expected one on which torch"),
        ((*FIT[:-1], "--method", "farm"), "device 'meta': expected one on which torch"),
        ((*FIT[:-1], "--method", "inlp"), "--device: inlp, as it is set, multiplies with numpy"),
        (("audit", "table.parquet", "--attribute", "gender"), "device 'meta': expected one on"),
        (
            ("audit", "table.parquet", "--attribute", "gender", "--engine", "ray"),
            "--device meta: is for this machine, found --engine ray",
        ),
        ((*FIT[:-1], "--engine", "ray"), "--device meta: is for one process, found --engine ray"),
    ],
)
def test_what_cannot_be_is_refused_at_the_door(run, folder, tmp_path, arguments, said):
    code, _, err = run(*arguments, "--out", tmp_path / "out.parquet", "--device", "meta")
    assert code == 2
    assert said in err
    assert not any(tmp_path.iterdir())


def test_an_audit_hands_the_device_on(run, monkeypatch, tmp_path):
    def attacked(*tables, kernels, **options):
        raise InputError(f"the matrices of {kernels}")

    monkeypatch.setattr("sensitivenets.audit.audits.quick_audit", attacked)
    audit = ("audit", "faces.parquet", "--attribute", "gender", "--identity", "subject", "--quick")
    for device, said in (((), "None"), (("--device", "cpu"), str(kernels_on("cpu")))):
        code, _, err = run(*audit, *device, "--out", tmp_path / "report")
        assert (code, f"the matrices of {said}" in err) == (2, True), err


def test_a_column_of_a_database_is_left_to_numpy(run):
    url = "postgresql://host/database?table=faces"
    code, _, err = run("transform", "model", url, "--to", "own", "--device", "cpu")
    assert (code, "--device: is for files" in err) == (2, True)
