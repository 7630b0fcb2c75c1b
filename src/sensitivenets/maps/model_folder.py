"""Saving and loading models: safetensors for the weights, JSON for the rest, a card for people."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from sensitivenets.atomic import atomic_file, atomic_folder, check_parent
from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError, ModelFolderError
from sensitivenets.maps.base import Fitted, FittedMap, Model, model_of
from sensitivenets.maps.digest import weights_digest
from sensitivenets.maps.kinds import rebuild_map
from sensitivenets.maps.model_card import render_card
from sensitivenets.version import __version__

FORMAT_VERSION = 1
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"

# Types that numpy has by itself; some of the others it has where other libraries are loaded.
_KINDS = frozenset({
    "F64",
    "F32",
    "F16",
    "I64",
    "I32",
    "I16",
    "I8",
    "U64",
    "U32",
    "U16",
    "U8",
    "BOOL",
})
# Bytes; that of a fit of thousands of epochs has some hundred thousand.
_LARGEST_CONFIG = 16 << 20
# The one key of the safetensors metadata: it marks the file as ours and seals config.json.
_SEAL = "sensitivenets.config_sha256"


def save_model(model: Model | Fitted, path: str | Path, *, overwrite: bool = False) -> None:
    """Save a fitted model as a folder that is there whole or not at all.

    The folder holds ``model.safetensors``, ``config.json`` and a model card, ``README.md``. Saving
    the same model twice gives the same bytes. A NaN or infinity in the parameters, the fingerprint
    or the curve becomes null, because JSON has neither.

    Parameters
    ----------
    model : Model or fitted estimator
        What a fit left behind, or the estimator that has it as ``model_``.
    path : str or Path
        The folder to make.
    overwrite : bool, default=False
        Replace a model folder that is already there.

    Raises
    ------
    ModelFolderError
        If `path` exists (see `check_destination`), or the model cannot be saved: a map of unknown
        kind, weights that are not finite float32, parameters that are not JSON values.
    InputError
        If `model` is neither a model nor a fitted estimator.
    """
    model, path = model_of(model), Path(path)
    check_destination(path, overwrite=overwrite)
    arrays = {name: np.ascontiguousarray(a) for name, a in model.map.arrays().items()}
    rebuilt = _rebuild(model.map.kind, arrays, f"{path}: cannot save the model")
    config = {
        "library": "sensitivenets",
        "format_version": FORMAT_VERSION,
        "library_version": __version__,
        "method": model.method,
        "map": {
            "kind": model.map.kind,
            "n_features_in": rebuilt.n_features_in,
            "n_features_out": rebuilt.n_features_out,
        },
        "weights_sha256": weights_digest(arrays),
        "parameters": _json_value(model.parameters, "parameters"),
        "removed": {name: list(classes) for name, classes in model.removed.items()},
        "fingerprint": _json_value(model.fingerprint, "fingerprint"),
        "curve": _json_value(model.curve, "curve"),
    }
    text = json.dumps(config, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    seal = {_SEAL: hashlib.sha256(text.encode()).hexdigest()}
    with atomic_folder(path) as folder:
        with atomic_file(folder / WEIGHTS) as weights:
            save_file(arrays, weights, metadata=seal)
        (folder / CONFIG).write_text(text, encoding="utf-8")
        (folder / CARD).write_text(render_card(config), encoding="utf-8")


def check_destination(path: Path, *, overwrite: bool = False) -> None:
    """Refuse a place that a model folder must not be written to.

    Parameters
    ----------
    path : Path
        The folder to make; an empty one may be there.
    overwrite : bool, default=False
        Allow a model folder, and nothing else, to be there.

    Raises
    ------
    ModelFolderError
        If something is there that would be lost.
    InputError
        If nothing can be made there.
    """
    check_parent(path)
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_dir():
        raise ModelFolderError(f"{path}: expected a folder to make, found a file; choose another")
    found = {entry.name for entry in path.iterdir()}
    other = sorted(found - {WEIGHTS, CONFIG, CARD})
    if other:
        raise ModelFolderError(
            f"{path}: expected no folder or a model folder, found {_some(other)}, which would be "
            "lost; choose another folder"
        )
    if found and not overwrite:
        raise ModelFolderError(
            f"{path}: a model folder is already there; choose another, or allow overwriting "
            "(--overwrite)"
        )


def load_model(path: str | Path) -> Model:
    """Load a model folder, without torch and without running anything that it contains.

    Parameters
    ----------
    path : str or Path
        A folder written by `save_model`.

    Returns
    -------
    Model
        As it was saved; lists where tuples were inside parameters, fingerprint and curve.

    Raises
    ------
    ModelFolderError
        If the folder is missing, incomplete, damaged, changed after it was saved, made by another
        library, or written in a newer format. The message says which, and what to do.
    """
    path = Path(path)
    _require_files(path)
    size = (path / CONFIG).stat().st_size
    if size > _LARGEST_CONFIG:
        raise ModelFolderError(
            f"{path / CONFIG}: expected {_LARGEST_CONFIG} bytes at most, found {size}; restore it "
            "from where it was saved"
        )
    text = (path / CONFIG).read_bytes()
    config = _parse_config(text, path / CONFIG)
    arrays, seal = _read_weights(path / WEIGHTS)
    if seal != hashlib.sha256(text).hexdigest():
        raise ModelFolderError(
            f"{path / CONFIG}: changed after it was saved, or of another model: its SHA-256 is not "
            f"the one in {WEIGHTS}; restore the folder from where it was saved"
        )
    if _field(config, "weights_sha256", str, path) != weights_digest(arrays):
        raise ModelFolderError(
            f"{path / WEIGHTS}: changed after it was saved, or of another model: the SHA-256 of "
            f"the weights is not the one in {CONFIG}; restore the folder from where it was saved"
        )
    kind = _field(_field(config, "map", dict, path), "kind", str, path)
    removed = _field(config, "removed", dict, path)
    classes = {name: _field(removed, name, list, path) for name in removed}
    return Model(
        map=_rebuild(kind, arrays, str(path)),
        method=_field(config, "method", str, path),
        parameters=_field(config, "parameters", dict, path),
        removed={name: tuple(map(str, values)) for name, values in classes.items()},
        fingerprint=_records("fingerprint", _field(config, "fingerprint", dict, path), path),
        curve=tuple(_records("curve", _curve(config, path), path).values()),
    )


def _require_files(path: Path) -> None:
    if not path.exists():
        raise ModelFolderError(f"{path}: no such folder")
    if not path.is_dir():
        raise ModelFolderError(
            f"{path}: expected a model folder, found a file; in a command the model comes first"
        )
    missing = [name for name in (CONFIG, WEIGHTS) if not (path / name).is_file()]
    if missing:
        found = sorted(entry.name for entry in path.iterdir())
        raise ModelFolderError(
            f"{path}: not a model folder: no {' and no '.join(missing)}; it has "
            f"{_some(found) if found else 'no file'}"
        )


def _parse_config(text: bytes, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ModelFolderError(
            f"{path}: truncated or damaged, not JSON: {error!s:.200}; restore it from where it was "
            "saved"
        ) from error
    if not isinstance(config, dict) or config.get("library") != "sensitivenets":
        raise ModelFolderError(
            f'{path}: not written by this library: expected "library": "sensitivenets"'
        )
    version = _field(config, "format_version", int, path)
    if not 1 <= version <= FORMAT_VERSION:
        raise ModelFolderError(
            f"{path}: format {version}, written by sensitivenets "
            f"{config.get('library_version', 'of unknown version')}; this is sensitivenets "
            f"{__version__}, which reads formats up to {FORMAT_VERSION}; "
            "upgrade sensitivenets"
        )
    return config


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"a number that is not finite: {text:.40}")
    return value


def _read_weights(path: Path) -> tuple[dict[str, FloatArray], str]:
    try:
        with safe_open(path, framework="numpy") as weights:
            seal = (weights.metadata() or {}).get(_SEAL)
            # Looked at before reading: a foreign file may hold types that numpy does not have.
            names = list(weights.keys()) if seal else []
            kinds = {name: weights.get_slice(name).get_dtype() for name in names}
            foreign = next((name for name, kind in kinds.items() if kind not in _KINDS), None)
            if foreign is not None:
                raise TypeError(f"array {foreign!r} of type {kinds[foreign]}, expected F32")
            arrays = {name: weights.get_tensor(name) for name in names}
    except (
        *(SafetensorError, TypeError, ValueError, OSError, MemoryError, OverflowError),
        *(AttributeError, KeyError, ImportError),
    ) as error:
        raise ModelFolderError(
            f"{path}: truncated or damaged: {error!s:.200}; restore it from where it was saved"
        ) from error
    if seal is None:
        raise ModelFolderError(
            f"{path}: a safetensors file of another library: no {_SEAL!r} in its metadata"
        )
    return arrays, seal


def _rebuild(kind: str, arrays: Mapping[str, FloatArray], where: str) -> FittedMap:
    """Make the map from its arrays, or say what is wrong with them."""
    try:
        rebuilt = rebuild_map(kind, arrays)
    except InputError as error:
        raise ModelFolderError(f"{where}: {error}") from error
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ModelFolderError(
                f"{where}: array {name!r}: NaN or infinite values; fit again, with a smaller "
                "learning rate"
            )
    return rebuilt


def _field(config: Mapping[str, Any], name: str, kind: type, path: Path) -> Any:
    value = config.get(name)
    if not isinstance(value, kind):
        raise ModelFolderError(
            f"{path}: damaged: expected {name!r} of type {kind.__name__}, found {value!r:.40}"
        )
    return value


def _curve(config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    return {str(k): record for k, record in enumerate(_field(config, "curve", list, path))}


def _records(name: str, values: dict[str, Any], path: Path) -> dict[str, Any]:
    """Refuse what is not made of records."""
    for key in values:
        _field(values, key, dict, path / name)
    return values


def _json_value(value: Any, where: str) -> Any:
    """Turn mappings, sequences and numpy scalars into what JSON has."""
    if isinstance(value, Mapping):
        return {str(name): _json_value(item, f"{where}.{name}") for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(item, f"{where}[{k}]") for k, item in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ModelFolderError(
        f"cannot save the model: {where}: expected a number, text, a list or a mapping, found "
        f"{type(value).__name__}"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
