"""``sensitivenets fit``: learn a model from a table."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from sensitivenets.cli.attributes import require_groups, require_groups_of
from sensitivenets.cli.engine_options import DeviceOptions
from sensitivenets.cli.fit_cost import announce, announce_size
from sensitivenets.cli.method_options import estimator_parameters, kept_column
from sensitivenets.cli.options import Removed
from sensitivenets.cli.output import percent, print_json, print_line
from sensitivenets.cli.selection import open_rows, read_rows, require_files
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.embeddings import EmbeddingTable
    from sensitivenets.embeddings.source import TableSource
    from sensitivenets.maps.base import Model

_HERE = DeviceOptions()


def fit(
    table: str,
    /,
    *,
    out: Path,
    remove: Removed = None,
    continuous: list[str] | None = None,
    remove_identity: str | None = None,
    identity: str | None = None,
    domain: str | None = None,
    task: str | None = None,
    where: list[str] | None = None,
    detector: str | None = None,
    detector_where: list[str] | None = None,
    unlabelled: str | None = None,
    method: str | None = None,
    settings: Annotated[list[str] | None, Parameter(name="--set")] = None,
    random_state: int = 0,
    embedding: str = "embedding",
    work: DeviceOptions = _HERE,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Learn to remove sensitive attributes from embeddings, and save the model as a folder.

    Parameters
    ----------
    table
        Embeddings to learn from: a file, a folder, a glob or a URL of .parquet, .feather, .csv,
        .jsonl, .npz, .npy or .safetensors. Methods in closed form and routed_transport read it
        block by block; the others hold it in memory.
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
        Name of the embedding column, or of the columns of its features, such as 'f*'.
    work
        Who does the work, where a table is read block by block.
    overwrite
        Replace a model folder that is already there.
    json
        Write the result as JSON.
    """
    from sensitivenets.benchmark.methods import method_named
    from sensitivenets.erasers.fit_table import fits_block_by_block
    from sensitivenets.maps.model_folder import check_destination
    from sensitivenets.maps.rescue import save_or_rescue

    remove = _what_to_remove(remove, continuous, remove_identity, identity, task)
    remove = [*remove, domain] if domain else remove
    method = method or ("identity_span" if remove_identity else "sensitivenet")
    chosen = method_named(method)
    if chosen.adapts:
        raise InputError(
            f"--method {method}: expected a method that labels are enough for; this one is adapted "
            "to the table at hand: run protect, or fit and then adapt"
        )
    parameters = estimator_parameters(method, settings or [], random_state)
    check_destination(out, overwrite=overwrite)
    if chosen.needs_torch:
        require_torch()
    if detector is None and detector_where:
        raise InputError("--detector-where: expected --detector with it; give both or neither")
    require_files(table)
    kept = kept_column(method, parameters, identity, task)
    hidden = _Hidden(tuple(remove), remove_identity, identity, tuple(continuous or []))
    estimator = chosen.load()(**parameters)
    # Unlabelled rows cannot stand behind selected ones of a table that is not held, and bands of
    # numbers are cut with all of them in hand.
    in_blocks = detector is None and not continuous and not (unlabelled and where)
    if in_blocks and fits_block_by_block(estimator):
        source = open_rows(table, where or [], embedding)
        more = None if unlabelled is None else open_rows(unlabelled, [], embedding)
        estimator = _fit_in_blocks(estimator, source, hidden, kept, more, work)
    else:
        _take_device(estimator, method, work)
        primary = read_rows(table, where or [], embedding)
        others = None
        if detector is not None:
            others = read_rows(detector, detector_where or [], embedding, "--detector-where")
        # Only where there are some: a method of one's own need not know of them.
        rest = {}
        if unlabelled is not None:
            rest["unlabelled"] = read_rows(unlabelled, [], embedding).vectors
        _fit_in_memory(estimator, primary, hidden, kept, others, rest)
    save_or_rescue(estimator.model_, out, overwrite=overwrite)
    if json:
        print_json(_summary(estimator.model_, out))
    else:
        _print_summary(estimator.model_, out)


@dataclass(frozen=True)
class _Hidden:
    """What is removed: attributes, or who a row shows; and who it shows, where that is kept."""

    columns: tuple[str, ...]
    who: str | None
    identity: str | None
    numbers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.identity in (*self.columns, *self.numbers):
            raise InputError(
                f"--remove {self.identity}: the identity is what is kept; remove another"
            )

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns that many rows share a value of: an identity has as many as people."""
        return tuple(name for name in self.columns if name != self.who)

    def labels(self, table: EmbeddingTable) -> dict[str, Any]:
        """Return the columns, checked here, where the message can name the file."""
        from sensitivenets.embeddings.number_bands import number_bands

        require_groups(table, self.groups, "--remove")
        table.attributes(self.columns)
        columns: dict[str, Any] = {name: table.column(name) for name in self.columns}
        return columns | {name: number_bands(table.numbers(name)) for name in self.numbers}


def _fit_in_blocks(
    estimator: Any,
    source: TableSource,
    hidden: _Hidden,
    kept: str | None,
    unlabelled: TableSource | None,
    work: DeviceOptions,
) -> Any:
    """Fit to a table that is read and not held."""
    from sensitivenets.embeddings.checks import warn_about_rows
    from sensitivenets.embeddings.source_rows import SourceRows
    from sensitivenets.erasers.fit_table import fit_table
    from sensitivenets.progress import progress_bar

    require_groups_of(source, list(hidden.groups), "--remove")
    engine, products = work.make(), work.products()
    with progress_bar("fit") as progress:
        source.require_labels([*hidden.columns, *([kept] if kept else [])])
        rows = SourceRows(source, engine)
        warn_about_rows(rows, identity=hidden.identity, attributes=hidden.columns)
        announce(estimator, source, hidden.columns, unlabelled)
        keeps = estimator.__sklearn_tags__().target_tags.required
        return fit_table(
            estimator,
            source,
            sensitive=hidden.columns,
            target=kept if keeps else None,
            unlabelled=unlabelled,
            engine=engine,
            products=products,
            progress=progress,
        )


def _take_device(estimator: Any, method: str, work: DeviceOptions) -> None:
    """Hand a device to an estimator that holds all rows, if it takes one; it takes no engine."""
    if replace(work, device=None) != _HERE:
        raise InputError(
            f"--engine: {method}, as it is set, holds all rows in this process; leave it out, "
            "or take a method such as leace or routed_transport, without --detector"
        )
    if work.device is None:
        return
    if "device" not in estimator.get_params():
        raise InputError(
            f"--device: {method}, as it is set, multiplies with numpy; leave it out, or take a "
            "method that is trained with torch, or routed_transport without --detector"
        )
    work.products()
    estimator.set_params(device=work.device)


def _fit_in_memory(
    estimator: Any,
    table: EmbeddingTable,
    hidden: _Hidden,
    kept: str | None,
    detector: EmbeddingTable | None,
    rest: dict[str, Any],
) -> None:
    """Fit to a table that is held, with the attributes of its own or of another."""
    from sensitivenets.embeddings.checks import warn_about
    from sensitivenets.embeddings.labels import encode_attributes

    target = None if kept is None else table.column(kept)
    if kept is not None and kept == hidden.identity:
        # A blank identity is nobody, not one person.
        who = table.identities(kept)
        target = [who.classes[code] if code >= 0 else None for code in who.codes]
    learned = table if detector is None else detector
    labels = hidden.labels(learned)
    if detector is None:
        rest |= {"sensitive": labels}
        warn_about(table, identity=hidden.identity, attributes=hidden.columns)
    else:
        rest |= {"detector": (detector.vectors, labels)}
        warn_about(table, identity=hidden.identity)
        warn_about(detector)
    n_unlabelled = len(rest.get("unlabelled", ()))
    encoded = encode_attributes(labels, len(learned))
    announce_size(estimator, len(learned) + n_unlabelled, learned.dim, encoded)
    estimator.fit(table.vectors, target, **rest)


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
