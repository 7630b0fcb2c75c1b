"""Pages of the site that nobody writes: the command line from its help, the API from its names."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import sensitivenets
from sensitivenets.arrow import agnostic, agnostic_batches
from sensitivenets.benchmark.methods import METHODS
from sensitivenets.cli.app import make_app


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the two pages to what was found in docs/."""
    made = {"reference/cli.md": command_line(), "reference/api.md": public_names()}
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    return files


def command_line() -> str:
    """Write every command with its options, as `--help` has them."""
    app = make_app()
    return app.generate_docs(output_format="markdown").replace("# sensitivenets", "# Commands", 1)


def public_names() -> str:
    """Write the names of `sensitivenets` and of its Arrow face, then each method's estimator."""
    top = {name: _function(getattr(sensitivenets, name)) for name in sensitivenets.__all__}
    methods = {m.name: getattr(import_module(m.module), m.name) for m in METHODS.values()}
    return (
        "# Python\n\n`from sensitivenets import ...`; the API of 0.2 that will stay.\n\n"
        + _entries(top)
        + "\n# Arrow\n\n`from sensitivenets.arrow import ...`\n\n"
        + _entries({"agnostic": agnostic, "agnostic_batches": agnostic_batches})
        + "\n# Methods\n\nThe estimator of each name that `fit --method` takes.\n\n"
        + _entries({name: found for name, found in methods.items() if name not in top})
    )


def _function(found: Any) -> Any:
    """Return what a callable package calls: `sensitivenets.audit` is a room and a function."""
    return sensitivenets.report.audit if isinstance(found, ModuleType) else found


def _entries(named: dict[str, Any]) -> str:
    return "\n".join(f"::: {found.__module__}.{found.__name__}" for found in named.values()) + "\n"
