import pkgutil
import subprocess
import sys

import pytest

import sensitivenets
from sensitivenets.erasers.linear.leace import LEACE

HEAVY = ("torch", "matplotlib", "jinja2", "sklearn", "pandas", "scipy", "rich.console")


def modules_after(code):
    """Names of the modules that a fresh interpreter has loaded after running `code`."""
    program = f"import sys\n{code}\nprint(*sys.modules, sep='\\n', file=sys.__stderr__)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines())


def test_the_package_loads_nothing_but_itself():
    loaded = modules_after("import sensitivenets; assert sensitivenets.__version__")
    assert not loaded & {*HEAVY, "numpy", "pyarrow", "cyclopts"}


@pytest.mark.parametrize(
    "code",
    [
        "from sensitivenets import read_table, load_model, EmbeddingTable, synthetic_diveface",
        "from sensitivenets import SensitiveNet; SensitiveNet()",
        "from sensitivenets import quick_audit, verify, equality_of_opportunity",
        "from sensitivenets.benchmark.methods import METHODS\n[m.load() for m in METHODS.values()]",
    ],
)
def test_the_core_loads_neither_torch_nor_matplotlib(code):
    assert not modules_after(code) & {"torch", "matplotlib", "jinja2"}


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"], ["--version"]])
def test_the_command_line_starts_without_the_heavy_libraries(arguments):
    loaded = modules_after(f"from sensitivenets.cli import main; main({arguments!r})")
    assert "cyclopts" in loaded
    assert not loaded & {"torch", "matplotlib", "jinja2", "sklearn", "scipy", "pandas", "pyarrow"}


def test_mapping_a_table_loads_nothing_that_learns(tmp_path):
    faces = sensitivenets.synthetic_diveface(n_subjects=40, images_per_subject=2, dim=32)
    eraser = LEACE().fit(faces.vectors, sensitive={"g": faces.column("gender")})
    sensitivenets.save_model(eraser, tmp_path / "model")
    sensitivenets.write_table(faces, tmp_path / "faces.parquet")
    rows, out = tmp_path / "faces.parquet", tmp_path / "mapped.parquet"
    command = [str(part) for part in ("transform", tmp_path / "model", rows, "--out", out)]
    loaded = modules_after(f"from sensitivenets.cli import main; main({command!r})")
    assert out.exists()
    assert not loaded & {"torch", "sklearn", "scipy", "matplotlib"}


@pytest.mark.parametrize("name", sorted(sensitivenets.__all__))
def test_every_public_name_exists(name):
    assert getattr(sensitivenets, name).__name__.rpartition(".")[2] == name
    assert name in dir(sensitivenets)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'sensitivity'"):
        _ = sensitivenets.sensitivity


def test_every_module_can_be_imported():
    # In one fresh interpreter each would take minutes; what one leaves behind, others do not need.
    names = [m.name for m in pkgutil.walk_packages(sensitivenets.__path__, "sensitivenets.")]
    assert "sensitivenets.sensitivenet.training" in names
    for name in names:
        __import__(name)
