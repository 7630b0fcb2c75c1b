"""``sensitivenets fit``: learn a model from a table."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from sensitivenets.cli.attributes import require_groups
from sensitivenets.cli.method_options import estimator_parameters, kept_column
from sensitivenets.cli.output import percent, print_json, print_line
from sensitivenets.cli.selection import read_rows
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.embeddings import EmbeddingTable
    from sensitivenets.maps.base import Model


def fit(
    table: Path,
    /,
    *,
    out: Path,
    remove: Annotated[list[str] | None, Parameter(name=("--remove", "--attribute"))] = None,
    continuous: list[str] | None = None,
    remove_identity: str | None = None,
    identity: str | None = None,
    domain: str | None = None,
    task: str | None = None,
    where: list[str] | None = None,
    detector: Path | None = None,
    detector_where: list[str] | None = None,
    unlabelled: Path | None = None,
    method: str | None = None,
    settings: Annotated[list[str] | None, Parameter(name="--set")] = None,
    random_state: int = 0,
    embedding: str = "embedding",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Learn to remove sensitive attributes from embeddings, and save the model as a folder.

    Parameters
    ----------
    table
        Embeddings to learn from: .parquet, .npz, or .npy beside .csv.
    out
        Model folder to make.
    remove
        Attribute to remove, a column; give the option once for each.
    continuous
        Number to remove, such as an age: its eight bands of as many rows are made alike; give the
        option once for each.
    remove_identity
        Column that says who a row shows: hide who, keep the label of --task.
    identity
        Column that says who or what a row shows; sensitivenet, as it is set, and some others need
        it.
    domain
        Column of the source of a row, such as a camera or a country: each source has groups and
        moments of its own, found without it later. It is removed like an attribute.
    task
        Column of the label to keep, instead of identities.
    where
        Use only the rows with COLUMN=VALUE; may be given several times.
    detector
        Another table of embeddings of the same network, which has the attributes to remove.
    detector_where
        Use only the rows of it with COLUMN=VALUE; may be given several times.
    unlabelled
        One more table of the same network, of which no attribute is known: routed_transport and
        coded_transport learn the moments of the groups from its rows too.
    method
        Method, such as routed_transport or leace; package.module:Class is one of your own.
        sensitivenet unless given, or identity_span where identity is removed.
    settings
        Parameter of the method as NAME=VALUE, a value in JSON or plain text; give the option once
        for each.
    random_state
        The seed, which decides everything random.
    embedding
        Name of the embedding column.
    overwrite
        Replace a model folder that is already there.
    json
        Write the result as JSON.
    """
    from sensitivenets.benchmark.methods import method_named
    from sensitivenets.maps.model_folder import check_destination
    from sensitivenets.maps.rescue import save_or_rescue

    remove = _what_to_remove(remove, continuous, remove_identity, identity, task)
    numbers = continuous or []
    remove = [*remove, domain] if domain else remove
    method = method or ("identity_span" if remove_identity else "sensitivenet")
    chosen = method_named(method)
    parameters = estimator_parameters(method, settings or [], random_state)
    check_destination(out, overwrite=overwrite)
    if chosen.needs_torch:
        require_torch()
    if detector is None and detector_where:
        raise InputError("--detector-where: expected --detector with it; give both or neither")
    primary = read_rows(table, where or [], embedding)
    kept = kept_column(method, parameters, identity, task)
    kept_labels = None if kept is None else primary.column(kept)
    if identity is not None and kept == identity:
        # A blank identity is nobody, not one person.
        who = primary.identities(identity)
        kept_labels = [who.classes[code] if code >= 0 else None for code in who.codes]
    sensitive = _attributes(primary if detector is None else None, remove, numbers, identity)
    _warn(primary, identity, remove if detector is None else [])
    detectors = None
    if detector is not None:
        other = read_rows(detector, detector_where or [], embedding, "--detector-where")
        detectors = (other.vectors, _attributes(other, remove, numbers, None))
        _warn(other, None, [])
    # Only where there are some: a method of one's own need not know of them.
    more = (
        {} if unlabelled is None else {"unlabelled": read_rows(unlabelled, [], embedding).vectors}
    )
    estimator = chosen.load()(**parameters)
    estimator.fit(primary.vectors, kept_labels, sensitive=sensitive, detector=detectors, **more)
    save_or_rescue(estimator.model_, out, overwrite=overwrite)
    if json:
        print_json(_summary(estimator.model_, out))
    else:
        _print_summary(estimator.model_, out)


def _what_to_remove(
    remove: list[str] | None,
    continuous: list[str] | None,
    remove_identity: str | None,
    identity: str | None,
    task: str | None,
) -> list[str]:
    if remove_identity is None:
        if not remove and not continuous:
            raise InputError("expected --remove or --remove-identity, a column to hide, found none")
        return remove or []
    if remove or continuous or identity:
        other = "--remove" if remove else "--continuous" if continuous else "--identity"
        raise InputError(
            f"--remove-identity hides who, and {other} asks for something else; give one of them"
        )
    if task is None:
        raise InputError(
            "--remove-identity: expected --task with it, the column of the label to keep; with "
            "nothing to keep, leave the embeddings out"
        )
    return [remove_identity]


def require_torch() -> None:
    """Refuse to fit without torch, before any work.

    Raises
    ------
    InputError
        If it is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise InputError("fitting needs torch: pip install 'sensitivenets[train]'")


def _attributes(
    table: EmbeddingTable | None, names: list[str], numbers: list[str], identity: str | None
) -> dict[str, Any] | None:
    from sensitivenets.embeddings.number_bands import number_bands

    if table is None:
        return None
    if identity in [*names, *numbers]:
        raise InputError(f"--remove {identity}: the identity is what is kept; remove another")
    # Checked here, where the message can name the file.
    require_groups(table, names, "--remove")
    table.attributes(names)
    columns: dict[str, Any] = {name: table.column(name) for name in names}
    return columns | {name: number_bands(table.numbers(name)) for name in numbers}


def _warn(table: EmbeddingTable, identity: str | None, attributes: list[str]) -> None:
    from sensitivenets.embeddings.checks import warn_about

    warn_about(table, identity=identity, attributes=attributes)


def _summary(model: Model, out: Path) -> dict[str, Any]:
    return {
        "model": str(out),
        "method": model.method,
        "n_features_in": model.map.n_features_in,
        "n_features_out": model.map.n_features_out,
        "removed": {name: list(classes) for name, classes in model.removed.items()},
        "fingerprint": dict(model.fingerprint),
        "last_epoch": dict(model.curve[-1]) if model.curve else None,
    }


def _print_summary(model: Model, out: Path) -> None:
    for name, reads in (model.curve[-1] if model.curve else {}).get("detectors", {}).items():
        print_line(f"{name}: the last linear detector reads {percent(reads)}")
    if model.curve and "chosen" in model.curve[0]:
        _print_trade_off(model)
    if model.curve and "forecast" in model.curve[0]:
        print_line(_forecast(model.curve[0]["forecast"]))
    print_line(f"model: {out}")
    print_line(f"next: sensitivenets transform {out} TABLE --out agnostic.parquet")


def _forecast(record: Mapping[str, Any]) -> str:
    """Say what new people will show; where groups are too small, a warning has said the rest."""
    from sensitivenets.erasers.transport.forecast import Forecast

    return Forecast(**record).lines()[0]


def _print_trade_off(model: Model) -> None:
    """Show what each candidate of a budget leaks and costs, and which was taken."""
    leaks = list(model.curve[0]["leakage"])
    print_line("  ".join(["*", f"{'':<32}", f"{'lost':>7}", *(f"{n:>12}" for n in leaks)]))
    for point in model.curve:
        mark = "*" if point["chosen"] else "-" if point["on_front"] else " "
        read = (f"{percent(point['leakage'][name]):>12}" for name in leaks)
        print_line("  ".join([mark, f"{point['name']:<32}", f"{percent(point['loss']):>7}", *read]))
    print_line("* taken; - on the front. Held-out rows of the fit data, quick audit's attackers.")
