"""No input that a person can name on the command line ends in a traceback or runs for ever.

Commands with files and flags drawn at random, from a seed: what is whole, what is damaged, and
what is something else. A few seconds here; SENSITIVENETS_FUZZ_SECONDS and SENSITIVENETS_FUZZ_SEED
let it look longer, and elsewhere.
"""

import dataclasses
import functools
import inspect
import json
import os
import shutil
import signal
import time
import types
import typing
import zlib
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper
from PIL import Image

from sensitivenets.annotation.opening import LabellingOptions, open_labelling
from sensitivenets.audit.attackers.catalogue import quick_plan
from sensitivenets.audit.attackers.linear_quadratic import logistic_regression
from sensitivenets.audit.preparations import STANDARDISED
from sensitivenets.cli import app
from sensitivenets.cli import key as keys
from sensitivenets.codes import CodeKey, CodeParameters, encode_table, write_codes
from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import EmbeddingTable, write_table
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.maps.model_folder import save_model
from sensitivenets.maps.projection import Projection

SECONDS = float(os.environ.get("SENSITIVENETS_FUZZ_SECONDS", "4"))
SEED = int(os.environ.get("SENSITIVENETS_FUZZ_SEED", "0"))
#: Seconds that one command may take on what is small: beyond, it runs for ever.
PATIENCE = 60
# It serves until it is told to stop; what it reads is fuzzed with --export.
LEFT_OUT = {"annotate"}
# They start a cluster.
NOT_DRAWN = {"engine", "ray_address"}
# Without them a command refuses before it reads anything.
NEEDED = {"out", "attribute", "remove", "reference", "target", "identity", "method"}
COMMANDS = {
    (function.__name__,): function
    for functions in app._COMMANDS.values()
    for function in functions
    if inspect.isfunction(function) and function.__name__ not in LEFT_OUT
} | {("key", function.__name__): function for function in (keys.new, keys.rotate, keys.show)}
#: What works, with the files of the garden; `changed` makes something else of it.
WORKING = [
    line.split()
    for line in (
        "info t.parquet --identity subject --attribute gender",
        "info t.npz",
        "info u.npy --json",
        "info model",
        "info codes.parquet",
        "transform model t.parquet --out new.parquet",
        "transform model t.npz --out new.parquet --where gender=Male --json",
        "fit t.parquet --remove gender --method leace --out new",
        "fit t.parquet --remove gender --method routed_transport --set n_rounds=1 --out new",
        "adapt routed t.parquet --out new",
        "verify t.parquet --pairs p.parquet --json",
        "verify t.parquet --identity subject --group gender",
        "export model --out new.onnx",
        "encode t.parquet --key key.json --bits 64 --scale 1.5 --out new.parquet",
        "key new new.json",
        "key show key.json",
        "dataset csv l.csv --out new.parquet",
        "dataset csv l.csv --embeddings e.parquet --out new.parquet",
        "embed photos --aligned --model n.onnx --out new.parquet",
        "embed photos --aligned --model n.onnx --network n.json --hash-names --out new.parquet",
        "annotate t.parquet --attribute gender --labels t.gender.labels --export new.parquet",
        "audit t.parquet --attribute gender --identity subject --quick --n-jobs 1 --out new",
        "audit t.parquet t.npz --attribute gender --model model --n-jobs 1 --out new",
        "protect t.parquet --reference t.npz --remove gender --quick --n-jobs 1 --out new",
        "fairness t.parquet --target ethnic --attribute gender --identity subject --n-seeds 2",
        "benchmark t.parquet --attribute gender --methods leace --quick --out new",
        "demo --n-subjects 24 --n-jobs 1 --out new",
    )
]
TEXTS = [
    *(
        "",
        "x",
        "-1",
        "0",
        "1",
        "3",
        "1000000000",
        "1e400",
        "nan",
        "9" * 5000,
        "a=b",
        "gender=Male",
        "=",
        "=x",
    ),
    *("n_rounds=1", "embedding", "gender", "subject", "ethnicity", "leace", "routed_transport"),
    *("naïve", "\x1b[31m", "\udcff", "../..", "plain", "arcface", "csv", "bin", "lfw", "celeba"),
    *("--", "-", "view2", "None", "{}", "[1", "true", "None=None", "rank=1e9", "package:Class"),
]


def means(path):
    """A network whose embedding is the mean of each channel."""
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["data"], ["embedding"], axes=[2, 3], keepdims=0)],
        "means",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["n", 3, 112, 112])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 3])],
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


@pytest.fixture(scope="module")
def garden(tmp_path_factory, model):
    """One of every kind of file that a command reads."""
    place = tmp_path_factory.mktemp("garden")
    table = synthetic_diveface(24, 2, dim=32)
    write_table(table, place / "t.parquet")
    genders = np.array(table.column("gender").to_pylist())
    np.savez(place / "t.npz", embedding=table.vectors, gender=genders)
    np.save(place / "u.npy", table.vectors)
    (place / "u.csv").write_text("gender,age\n" + "".join(f"{g},1\n" for g in genders))
    (place / "l.csv").write_text("image,gender\na/1.png,x\nb/1.png,y\n")
    (place / "pairs.txt").write_text("2\t2\na\t1\t2\na\t1\tb\t1\n")
    pairs = {"left": [0, 1], "right": [2, 3], "same": [True, False]}
    pq.write_table(pa.table(pairs), place / "p.parquet")
    half = Projection(np.eye(32, 4, dtype=np.float32))
    save_model(dataclasses.replace(model, map=half), place / "model")
    CodeKey.from_seed(0).save(place / "key.json")
    (place / "n.json").write_text(json.dumps({"side": 112, "mean": [1, 2, 3]}))
    (place / "n.toml").write_text("scale = 2.0\n")
    means(place / "n.onnx")
    for name in ("a/1.png", "b/1.png"):
        path = place / "photos" / name
        path.parent.mkdir(parents=True)
        Image.new("RGB", (30, 40), (20, 200, 90)).save(path)
    names = pa.table({"image": ["a/1.png", "b/1.png"]})
    write_table(EmbeddingTable(np.eye(2, dtype=np.float32), names), place / "e.parquet")
    key = CodeKey.load(place / "key.json")
    write_codes(encode_table(table, key, CodeParameters(32, 64, 1.5)), place / "codes.parquet")
    routed = RoutedTransport(n_rounds=1, random_state=0)
    save_model(routed.fit(table.vectors, sensitive={"gender": genders}), place / "routed")
    choice = LabellingOptions("gender", ("Female", "Male"))
    labelling = open_labelling(table, choice, place / "t.gender.labels")
    labelling.store.close()
    return place


@pytest.fixture(scope="module")
def model():
    """As the fixture of the same name, for the whole module."""
    from sensitivenets.maps.base import Model

    return Model(Projection(np.eye(32, 4, dtype=np.float32)), "LEACE", {}, {"gender": ("f", "m")})


def files_of(folder):
    """Every file and folder below a folder, by its path from there."""
    return [path.relative_to(folder) for path in sorted(folder.rglob("*"))]


def damage(path, rng):
    """Do to a file or folder what disks, people and programs do."""
    if path.is_dir():
        inside = [p for p in sorted(path.rglob("*")) if p.is_file()]
        if not inside:
            return
        path = inside[rng.integers(len(inside))]
    content = bytearray(path.read_bytes())
    what = rng.integers(9)
    if what < 3 and content:
        for _ in range(int(rng.integers(1, 4))):
            content[rng.integers(len(content))] ^= 1 << rng.integers(8)
    elif what == 3:
        content = content[: rng.integers(len(content) + 1)]
    elif what == 4:
        content = bytearray()
    elif what == 5:
        content = bytearray(rng.bytes(200))
    elif what == 6:
        content = content * 3
    elif what == 7:
        content = bytearray(zlib.compress(content))
    else:
        path.unlink()
        odd = [path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to(path)]
        odd[rng.integers(len(odd))]()
        return
    path.write_bytes(content)


def kinds(annotation):
    """The plain types that an annotation allows."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [kind for one in typing.get_args(annotation) for kind in kinds(one)]
    return [annotation]


def options_of(function):
    """The options of a command and their kinds, those that several commands share among them."""
    found = {}
    for one in inspect.signature(function, eval_str=True).parameters.values():
        if dataclasses.is_dataclass(one.annotation):
            found |= typing.get_type_hints(one.annotation, include_extras=True)
        elif one.kind is one.KEYWORD_ONLY:
            found[one.name] = one.annotation
    return {name: kind for name, kind in found.items() if name not in NOT_DRAWN}


class Drawer:
    """Draws commands."""

    def __init__(self, rng, place):
        self.rng, self.place = rng, place
        self.files = [place / name for name in files_of(place)] + [
            *(place / "nothing.parquet", place / "new.parquet", place / "new", place / "new.onnx"),
            *(Path("/dev/null"), Path("/dev/zero"), Path("/"), place / "x\x1b]0;y\x07.parquet"),
        ]

    def one_of(self, values):
        return values[self.rng.integers(len(values))]

    def path(self, name):
        """A path that fits a parameter in most cases, and any in the others."""
        if name == "out":
            return self.place / self.one_of([
                "new.parquet",
                "new",
                "new.onnx",
                "t.parquet",
                "model",
            ])
        wanted = {
            "table": (".parquet", ".npz", ".npy"),
            "detector": (".parquet", ".onnx"),
            "fuse": (".onnx",),
            "photos": ("photos",),
            "pairs": (".parquet", ".txt"),
            "key": (".json",),
        }.get(name, ("",))
        if name == "model":
            wanted = ("model", ".onnx")
        fitting = [path for path in self.files if path.name.endswith(wanted)]
        return self.one_of(fitting if self.rng.random() < 0.8 else self.files)

    def value(self, name, kind):
        if kind is Path:
            return str(self.path(name))
        if typing.get_origin(kind) is typing.Literal and self.rng.random() < 0.8:
            return self.one_of(typing.get_args(kind))
        if name in {"attribute", "remove", "group", "identity"} and self.rng.random() < 0.6:
            return self.one_of(["gender", "subject", "ethnicity", "age"])
        if name in {"model", "table", "pairs"} or self.rng.random() < 0.1:
            return str(self.path(name))
        return self.one_of(TEXTS)

    def command(self):
        """A command that works, changed in a place or two; or one that is made up."""
        if self.rng.random() < 0.3:
            return self.made_up()
        arguments = list(self.one_of(WORKING))
        for _ in range(int(self.rng.integers(3))):
            self.change(arguments)
        return arguments

    def change(self, arguments):
        """Put something else into a command, leave something out, or say something twice."""
        k = int(self.rng.integers(1, len(arguments)))
        what = self.rng.integers(7)
        options = self.options(arguments[:2])
        if what >= 5 and options:
            arguments += self.one_of(options)
        elif what == 0 and len(arguments) > 2:
            del arguments[k]
        elif what == 1:
            arguments.insert(k, arguments[k])
        elif what == 2:
            arguments[k] = str(self.one_of(self.files))
        else:
            arguments[k] = self.one_of(TEXTS)

    def options(self, words):
        """Options of a command, each with a value."""
        function = COMMANDS.get(tuple(words)) or COMMANDS.get(tuple(words[:1]))
        if function is None:
            return []
        return [self.option(*one) for one in options_of(function).items()]

    def option(self, name, annotation):
        kind = self.one_of([k for k in kinds(annotation) if k is not type(None)])
        if typing.get_origin(kind) is list:
            kind = typing.get_args(kind)[0]
        option = f"--{name.strip('_').replace('_', '-')}"
        option = {"--settings": "--set"}.get(option, option)
        return [option] if kind is bool else [option, self.value(name, kind)]

    def made_up(self):
        words = self.one_of(list(COMMANDS))
        function, arguments = COMMANDS[words], list(words)
        for one in inspect.signature(function, eval_str=True).parameters.values():
            is_needed = one.default is one.empty
            if one.kind is one.POSITIONAL_ONLY and (is_needed or self.rng.random() < 0.25):
                arguments += self.option(one.name, one.annotation)[1:]
        for name, kind in options_of(function).items():
            is_needed = name in NEEDED
            if self.rng.random() < (0.9 if is_needed else 0.25):
                arguments += self.option(name, kind)
        return arguments


class NeverEndingError(BaseException):
    """Of no kind that a command may take for an error in what it was given."""


def ends(arguments):
    """Run a command in this process; say how it ended."""

    def too_long(*args):
        raise NeverEndingError(f"ran for more than {PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(PATIENCE)
    try:
        return app.main(arguments)
    except SystemExit as error:
        return error.code
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def little_work(monkeypatch):
    """One attacker, few made-up people, and no method of a benchmark: what is read is drawn."""
    plan = dataclasses.replace(
        quick_plan(),
        attackers=(dataclasses.replace(logistic_regression(), preparations=(STANDARDISED,)),),
    )
    few = functools.partial(synthetic_diveface, 24, 2)
    monkeypatch.setattr("sensitivenets.audit.audits.full_plan", lambda *_, **__: plan)
    monkeypatch.setattr("sensitivenets.audit.audits.quick_plan", lambda: plan)
    monkeypatch.setattr("sensitivenets.report.run.certify", lambda *_, **__: None)
    monkeypatch.setattr("sensitivenets.cli.audit_output._REPORT_NEEDS", ("not_installed",))
    monkeypatch.setattr("sensitivenets.datasets.synthetic_diveface", lambda _, **more: few(**more))
    monkeypatch.setattr("sensitivenets.benchmark.runs.run_all", lambda *_, **__: None)


@pytest.mark.usefixtures("little_work")
@pytest.mark.filterwarnings("ignore")
def test_no_command_ends_in_a_traceback_or_never(garden, tmp_path, monkeypatch, capsys):
    seed, end = SEED, time.monotonic() + SECONDS
    while time.monotonic() < end:
        rng = np.random.default_rng(seed)
        place = tmp_path / str(seed)
        shutil.copytree(garden, place)
        Path(place / "key.json").chmod(0o600)
        for _ in range(int(rng.integers(3))):
            damage(place / rng.choice([str(p) for p in files_of(place)]), rng)
        monkeypatch.chdir(place)
        drawn = Drawer(rng, place)
        for _ in range(4):
            arguments = drawn.command()
            try:
                code = ends(arguments)
            except BaseException as error:
                raise AssertionError(f"seed {seed}: {arguments}: {error!r}") from error
            said = capsys.readouterr()
            assert code in {0, 2, 3}, f"seed {seed}: {arguments}: {code}"
            assert "Traceback" not in said.err, f"seed {seed}: {arguments}: {said.err}"
            assert len(said.err) < 20_000, f"seed {seed}: {arguments}"
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(place)
        seed += 1
    assert seed > SEED
