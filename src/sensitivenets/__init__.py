"""Agnostic embeddings: remove sensitive attributes, keep the task, and prove what still leaks.

The public names, by what they are for; each is loaded when first used, so that importing the
package costs nothing. torch is needed to fit and not to apply; matplotlib to draw.
"""

from __future__ import annotations

import sys
from importlib import import_module
from inspect import Signature, signature
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sensitivenets.version import __version__ as __version__

if TYPE_CHECKING:
    from sensitivenets.audit import AuditResult
    from sensitivenets.datasets.synthetic import synthetic_diveface
    from sensitivenets.embeddings import EmbeddingTable, read_table, write_table
    from sensitivenets.erasers.transport.adapt import adapt
    from sensitivenets.erasers.transport.routed_transport import RoutedTransport
    from sensitivenets.errors import (
        CollapseWarning,
        DataWarning,
        DetectorWarning,
        InputError,
        ModelFolderError,
    )
    from sensitivenets.fairness import equality_of_opportunity
    from sensitivenets.maps.base import Model
    from sensitivenets.maps.model_folder import load_model, save_model
    from sensitivenets.report import Audit, audit, quick_audit, write_report
    from sensitivenets.sensitivenet.estimator import SensitiveNet
    from sensitivenets.tradeoff import BudgetedTransport
    from sensitivenets.tradeoff.protect import protect
    from sensitivenets.verification import read_pairs, verify, verify_all_pairs

__all__ = [
    "Audit",
    "AuditResult",
    "BudgetedTransport",
    "CollapseWarning",
    "DataWarning",
    "DetectorWarning",
    "EmbeddingTable",
    "InputError",
    "Model",
    "ModelFolderError",
    "RoutedTransport",
    "SensitiveNet",
    "adapt",
    "audit",
    "equality_of_opportunity",
    "load_model",
    "protect",
    "quick_audit",
    "read_pairs",
    "read_table",
    "save_model",
    "synthetic_diveface",
    "verify",
    "verify_all_pairs",
    "write_report",
    "write_table",
]

_HOME = {
    # embeddings and their labels
    "EmbeddingTable": "embeddings",
    "read_table": "embeddings",
    "write_table": "embeddings",
    "synthetic_diveface": "datasets.synthetic",
    # removing attributes
    "SensitiveNet": "sensitivenet.estimator",
    "RoutedTransport": "erasers.transport.routed_transport",
    "BudgetedTransport": "tradeoff",
    "protect": "tradeoff.protect",
    "adapt": "erasers.transport.adapt",
    "Model": "maps.base",
    "save_model": "maps.model_folder",
    "load_model": "maps.model_folder",
    # proving it
    "quick_audit": "report",
    "Audit": "report",
    "AuditResult": "audit",
    "write_report": "report",
    # what was kept
    "read_pairs": "verification",
    "verify": "verification",
    "verify_all_pairs": "verification",
    "equality_of_opportunity": "fairness",
    # what can go wrong
    "InputError": "errors",
    "ModelFolderError": "errors",
    "DataWarning": "errors",
    "CollapseWarning": "errors",
    "DetectorWarning": "errors",
}


class _CallablePackage(ModuleType):
    """The package `sensitivenets.audit`, which is also the function of that name.

    `sensitivenets.audit(table, attributes="gender")` is what a person types first, and a package
    has that name: Python binds it here as soon as anything imports a part of it. So the package
    itself takes the call, whoever was imported first. The function stands above the package, in
    `report`, for it gathers more than the attack; that is why the package cannot do this itself.
    """

    def __call__(self, *args: Any, **parameters: Any) -> Any:
        return _audit()(*args, **parameters)

    @property
    def __signature__(self) -> Signature:
        return signature(_audit())


class _FrontDoor(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        if name == "audit" and isinstance(value, ModuleType):
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _FrontDoor


def _audit() -> Any:
    return import_module(f"{__name__}.report").audit


def __getattr__(name: str) -> Any:
    if name == "audit":
        return import_module(f"{__name__}.audit")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
