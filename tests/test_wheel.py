"""The built wheel, in an environment that does not see the source tree."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from sensitivenets.maps.model_folder import save_model

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "sensitivenets"


def run(command, cwd):
    hidden = {"PYTHONPATH", "PYTHONHOME"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling", reason="hatchling is not installed: no wheel can be built")
    out = tmp_path_factory.mktemp("dist")
    # Without isolation: nothing is downloaded.
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT]
    run(build, cwd=out)
    return next(out.glob("sensitivenets-*.whl"))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The interpreter of an environment that has the wheel and, beside it, our dependencies."""
    environment = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "--without-pip", environment], cwd=environment)
    python = environment / "bin" / "python"
    packages = Path(
        run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            cwd=environment,
        ).strip()
    )
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index"]
    run([*install, "--no-deps", wheel], cwd=environment)
    # A plain path line adds packages and, other than addsitedir, runs no .pth of theirs: the
    # editable install of the source tree stays out.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_holds_every_file_of_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if name.startswith("sensitivenets/")}
    source = {
        f"sensitivenets/{path.relative_to(SOURCE).as_posix()}"
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert shipped == source
    assert "sensitivenets/py.typed" in shipped
    assert "sensitivenets/maps/templates/model_card.md" in shipped
    assert any(name.endswith(".j2") for name in shipped)


def test_the_wheel_holds_the_licence_and_the_entry_point(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        assert "sensitivenets = sensitivenets.cli:main" in archive.read(entry_points).decode()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [
        name for name in names if name.startswith(("tests/", "benchmarks/", "experiments/"))
    ]


def test_the_wheel_is_what_runs(python, tmp_path):
    code = "import sensitivenets; print(sensitivenets.__file__)"
    home = Path(run([python, "-c", code], cwd=tmp_path).strip())
    assert python.parents[1] in home.parents


def test_the_command_of_the_wheel_runs(python, tmp_path):
    assert "Agnostic embeddings" in run([python.parent / "sensitivenets", "--help"], cwd=tmp_path)


def test_the_wheel_loads_saves_and_applies_a_model(python, model, tmp_path):
    save_model(model, tmp_path / "model")
    code = """
import numpy as np, sys
from sensitivenets import load_model, save_model
model = load_model("model")
print(model.map(np.ones((2, 4), dtype=np.float32)).shape)
save_model(model, "again")
assert "torch" not in sys.modules
"""
    assert run([python, "-c", code], cwd=tmp_path) == "(2, 3)\n"
    assert (tmp_path / "again" / "README.md").read_text() == (
        tmp_path / "model" / "README.md"
    ).read_text()


def test_the_wheel_draws_a_report(python, tmp_path):
    code = """
from sensitivenets import quick_audit, synthetic_diveface, write_report
from sensitivenets.audit import split_by_identity
table = synthetic_diveface(24, 2, dim=32)
split = split_by_identity(table.labels("subject"))
result = quick_audit(table, None, table.attributes(["gender"]), split=split, n_jobs=1)
print(write_report(result, "report").html)
"""
    assert run([python, "-c", code], cwd=tmp_path) == "report/report.html\n"
