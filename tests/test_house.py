"""The house: which rooms there are, in which order they may import, and how far a reader walks.

The imports are read from the source, so that one inside a function counts as well. A name that a
package face hands on counts as an import of the file that defines it.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

import sensitivenets

ROOT = Path(sensitivenets.__file__).parent
NAME = "sensitivenets"

# From the ground up: a room imports from rooms of earlier floors only, and from itself.
FLOORS = (
    ("version",),
    ("errors",),
    ("intervals", "progress", "atomic", "serialisation", "engines"),
    ("connectors",),
    ("embeddings",),
    ("maps",),
    ("arrow", "codes", "verification", "fairness", "faces"),
    ("datasets",),
    ("erasers",),
    ("sensitivenet",),
    ("audit",),
    ("annotation", "obfuscation"),
    ("plots",),
    ("report",),
    ("tradeoff",),
    ("benchmark", "onnx_export"),
    ("cli",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


@cache
def modules():
    """Path of every module, by dotted name; a package is named as its face is."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def is_face(module):
    return modules()[module].name == "__init__.py"


# A method of this name is a second way in: whoever reads what `fit` does opens nothing of it.
SECOND = "adapt"


def nodes(tree, *, second):
    """Every node of a module; those inside a function named `adapt` only if asked for."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if second or not (isinstance(child, ast.FunctionDef) and child.name == SECOND):
            yield from nodes(child, second=second)


@cache
def imported(module, *, second=True):
    """Pairs (module, name) that a module imports from the package, wherever it does."""
    pairs = []
    for node in nodes(ast.parse(modules()[module].read_text(encoding="utf-8")), second=second):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == NAME:
            pairs += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            pairs += [(a.name, "") for a in node.names if a.name.split(".")[0] == NAME]
        elif isinstance(node, ast.Constant) and node.value in modules() and node.value != NAME:
            pairs.append((node.value, ""))
    return pairs


def home(module, name):
    """Return the module that defines what is imported, through any package face."""
    if f"{module}.{name}" in modules():
        return f"{module}.{name}"
    if module in modules() and is_face(module):
        for source, handed_on in imported(module):
            if handed_on == name and source != module:
                return home(source, name)
    return module


@cache
def neighbours(module, *, second=True):
    return frozenset(home(*pair) for pair in imported(module, second=second)) - {module}


def reached(module, *, second=False):
    """Every module a reader of `fit` may have to open, package faces not counted."""
    seen, todo = {module}, [module]
    while todo:
        found = neighbours(todo.pop(), second=second) - seen
        seen |= found
        todo += found
    return {name for name in seen if not is_face(name)}


def room(module):
    return module.split(".")[1]


def test_every_room_has_its_floor():
    rooms = {room(module) for module in modules() if module != NAME}
    assert rooms == set(FLOOR)


@pytest.mark.parametrize("module", sorted(set(modules()) - {NAME}))
def test_no_import_runs_upward(module):
    for other in neighbours(module) - {NAME}:
        mine, theirs = room(module), room(other)
        assert theirs == mine or FLOOR[theirs] < FLOOR[mine], f"{module} imports {other}"


def test_nothing_but_the_front_door_imports_the_front_door():
    assert not [module for module in modules() if NAME in neighbours(module)]


def test_no_imports_run_in_a_circle():
    done, path = set(), []

    def walk(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done or is_face(module):
            return
        path.append(module)
        for other in sorted(neighbours(module)):
            walk(other)
        path.pop()
        done.add(module)

    for module in sorted(modules()):
        walk(module)


def test_the_top_floor_is_small():
    names = [p for p in ROOT.iterdir() if not p.name.startswith("_") and p.name != "py.typed"]
    # 24, and what brings them to where embeddings live: engines/ for tables of many parts,
    # connectors/ for databases, arrow for the engines of others.
    assert len(names) <= 27, sorted(p.name for p in names)


@pytest.mark.parametrize(
    ("start", "most"),
    [
        ("audit.audits", 26),
        ("erasers.transport.routed_transport", 17),
        ("sensitivenet.estimator", 18),
        ("erasers.linear.leace", 13),
    ],
)
def test_a_reader_walks_no_further(start, most, capsys):
    found = sorted(name.removeprefix(f"{NAME}.") for name in reached(f"{NAME}.{start}"))
    with capsys.disabled():
        print(f"\n{start} reaches {len(found)} files: {' '.join(found)}")  # noqa: T201
    assert len(found) <= most


def test_what_adapt_opens_is_a_walk_of_its_own(capsys):
    # Routed transport is fitted without a line of what adapts it: that is imported inside `adapt`,
    # and by nothing on the way of `fit`. Who reads `adapt` opens these files beside the others.
    start = f"{NAME}.erasers.transport.routed_transport"
    of_fit, both = reached(start), reached(start, second=True)
    found = sorted(name.removeprefix(f"{NAME}.") for name in both - of_fit)
    with capsys.disabled():
        print(f"\nadapt reaches {len(found)} files more: {' '.join(found)}")  # noqa: T201
    assert f"{NAME}.erasers.transport.adapt" in both - of_fit
    assert len(found) <= 11
