"""``sensitivenets protect``: hide attributes of a table that has no labels of its own."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensitivenets.cli.attributes import require_groups, require_groups_of
from sensitivenets.cli.engine_options import AttackEngineOptions
from sensitivenets.cli.options import Quick, Removed
from sensitivenets.cli.output import percent, print_json, print_line, print_notice
from sensitivenets.cli.protect_output import folder_made, place_to_make
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.embeddings import EmbeddingTable
    from sensitivenets.embeddings.location import Place
    from sensitivenets.embeddings.source import TableSource
    from sensitivenets.engines import Engine
    from sensitivenets.maps.base import Model
    from sensitivenets.progress import Progress
    from sensitivenets.tradeoff.protect import Protected
    from sensitivenets.tradeoff.protect_source import ProtectedSource
    from sensitivenets.tradeoff.removal import Protection

_HERE = AttackEngineOptions()


def protect(
    table: str,
    /,
    *,
    reference: str,
    out: str,
    remove: Removed = None,
    continuous: list[str] | None = None,
    identity: str | None = None,
    domain: str | None = None,
    utility_budget: float = 0.02,
    sample: str | None = None,
    where: list[str] | None = None,
    reference_where: list[str] | None = None,
    quick: Quick = False,
    random_state: int = 0,
    embedding: str = "embedding",
    overwrite: bool = False,
    json: bool = False,
    work: AttackEngineOptions = _HERE,
) -> None:
    """Hide attributes of the table you hold, which needs no labels, and say what is left.

    Groups are learned from a labelled table of the same network, found again in yours, and moved
    onto one another. Writes table.parquet, model/, report/ and, for what your table has no labels
    of, sample.parquet.

    Parameters
    ----------
    table
        Embeddings to protect: a file, a folder, a glob or a URL of .parquet, .feather, .csv,
        .jsonl, .npz, .npy or .safetensors. More than 200 000 rows are read in passes, and some
        are drawn to be attacked.
    reference
        Embeddings of the same network with labels, or a model folder fitted on them.
    out
        Folder to make: a path, or a URL such as s3://bucket/folder.
    remove
        Attribute to hide, a column of the reference; give the option once for each.
    continuous
        Number to hide, such as an age: its bands in the reference are made alike; give the option
        once for each.
    identity
        Column that says who a row shows: rows of a person are moved alike, and recognition is
        measured. Where the reference has the column too, what is done is chosen on its rows.
    domain
        Column of the reference that says which source a row is from: each has groups of its own.
    utility_budget
        Verification accuracy that may be lost there, a fraction: 0.02 is two points.
    sample
        The sample.parquet of a former run with labels: attackers are tested on them.
    where
        Protect only the rows with COLUMN=VALUE; may be given several times.
    reference_where
        Use only the rows of the reference with COLUMN=VALUE; may be given several times.
    quick
        Attack with the three attackers of the paper only: seconds, and easier to withstand.
    random_state
        The seed.
    embedding
        Name of the embedding column.
    overwrite
        Replace what a former run left in the folder.
    json
        Write the result as JSON.
    work
        Who runs the attackers, and, with ray, goes through a table that is read in passes.
    """
    from sensitivenets.cli.selection import read_rows, refuse_own_output, rows_or_source
    from sensitivenets.embeddings import EmbeddingTable
    from sensitivenets.maps.base import Model
    from sensitivenets.maps.transform_files import require_apart
    from sensitivenets.progress import progress_bar
    from sensitivenets.tradeoff.evidence import Attack
    from sensitivenets.tradeoff.labelled_sample import with_sample
    from sensitivenets.tradeoff.protect import protect_table
    from sensitivenets.tradeoff.protect_source import protect_source
    from sensitivenets.tradeoff.removal import Removal

    if not remove and not continuous:
        raise InputError("expected --remove or --continuous, a column to hide, found none")
    if sample is not None and not remove:
        raise InputError("--sample: expected --remove with it: numbers of a sample are not read")
    remove, numbers = remove or [], continuous or []
    place = place_to_make(out, overwrite=overwrite)
    rows = rows_or_source(table, where or [], embedding)
    if not (isinstance(rows, EmbeddingTable) or rows.is_one_file):
        require_apart(rows, place)
    print_notice("1/3 learning groups from the reference")
    known = _reference(reference, reference_where or [], remove, embedding)
    if isinstance(known, Model):
        refuse_own_output(rows, known, Path(reference))
    labelled = None if sample is None else read_rows(sample, [], embedding)
    asked = Removal.of(remove, numbers, identity, domain, utility_budget)
    for line in _few_rows(rows, known, [*remove, *([domain] if domain else [])], numbers):
        print_notice(line)
    print_notice("2/3 finding them in the table, moving them, attacking the result")
    engine = work.make()
    found: Protected | ProtectedSource
    with progress_bar("protect") as progress:
        attack = Attack(quick, random_state, work.processes, engine, progress)
        if isinstance(rows, EmbeddingTable):
            rows = rows if labelled is None else with_sample(rows, labelled, remove)
            held = known if isinstance(known, (EmbeddingTable, Model)) else known.read()
            _warn_of_rows(held, engine, progress)
            found = protect_table(rows, held, asked, attack)
        else:
            _warn_of_rows(known, engine, progress)
            found = protect_source(rows, known, asked, attack, labelled)
        print_notice("3/3 writing")
        page = _write(found, place, engine, progress)
    if json:
        print_json(_summary(found, place))
        return
    _print(found, place, page, identity)


def _reference(
    path: str, where: list[str], remove: list[str], embedding: str
) -> EmbeddingTable | TableSource | Model:
    from sensitivenets.cli.selection import rows_or_source
    from sensitivenets.embeddings import EmbeddingTable
    from sensitivenets.maps.model_folder import load_model

    if not (Path(path) / "config.json").is_file():
        table = rows_or_source(path, where, embedding, "--reference-where")
        if isinstance(table, EmbeddingTable):
            require_groups(table, remove, "--remove")
        else:
            require_groups_of(table, remove, "--remove")
        return table
    if where:
        raise InputError("--reference-where: expected a table with --reference, found a model")
    return load_model(path)


def _warn_of_rows(
    reference: EmbeddingTable | TableSource | Model, engine: Engine | None, progress: Progress
) -> None:
    """Warn of rows that repeat others or outweigh them, where a model will be fitted to them."""
    from sensitivenets.embeddings import EmbeddingTable
    from sensitivenets.embeddings.checks import warn_about, warn_about_rows
    from sensitivenets.embeddings.source_rows import SourceRows
    from sensitivenets.engines import InProcess
    from sensitivenets.maps.base import Model

    if isinstance(reference, EmbeddingTable):
        warn_about(reference)
    elif not isinstance(reference, Model):
        warn_about_rows(SourceRows(reference, engine or InProcess(), progress))


def _few_rows(
    rows: EmbeddingTable | TableSource,
    known: EmbeddingTable | TableSource | Model,
    remove: list[str],
    numbers: list[str],
) -> list[str]:
    """Say before any work where rows are too few for people who come later."""
    from sensitivenets.embeddings import EmbeddingTable
    from sensitivenets.embeddings.number_bands import band_edges
    from sensitivenets.erasers.transport.forecast import forecast_of_size
    from sensitivenets.maps.base import Model

    if isinstance(known, Model):
        n_groups = prod(map(len, known.removed.values()))
    elif isinstance(known, EmbeddingTable):
        n_groups = prod(len(known.labels(name).classes) for name in remove)
        n_groups *= prod(len(band_edges(known.numbers(name))) - 1 for name in numbers)
    else:
        classes = (known.read_codes(name).classes for name in remove)
        n_groups = prod(map(len, classes))
    if isinstance(rows, EmbeddingTable):
        n_rows, n_features = len(rows), rows.dim
    else:
        n_rows, n_features = rows.n_rows, rows.width()
    expected = forecast_of_size(n_rows, n_groups, n_features)
    return [f"few rows: {line}" for line in expected.lines()] if expected.thin else []


def _write(
    found: Protected | ProtectedSource,
    out: Place,
    engine: Engine | None,
    progress: Progress,
) -> str:
    """Write all that there is, there whole or not at all; return what to open."""
    from sensitivenets.cli.audit_output import write
    from sensitivenets.embeddings import write_table
    from sensitivenets.embeddings.location import find_place
    from sensitivenets.maps.model_folder import save_model
    from sensitivenets.maps.rescue import rescued
    from sensitivenets.tradeoff.protect import Protected

    with rescued(found.model, out.shown), folder_made(out) as folder:
        save_model(found.model, folder / "model")
        page = write(found.audit, folder / "report").relative_to(folder)
        if found.unlabelled:
            write_table(found.sample, folder / "sample.parquet")
        if isinstance(found, Protected):
            write_table(found.table, folder / found.table_name)
        elif out.is_local:
            found.write_table(find_place(folder), engine, progress)
    if not (isinstance(found, Protected) or out.is_local):
        # Not by way of this machine; the last of what is written, as always.
        found.write_table(out, engine, progress)
    return out.below(page.as_posix()).shown


def _print(found: Protected | ProtectedSource, out: Place, page: str, identity: str | None) -> None:
    mode = "three attackers" if found.audit.mode == "quick" else "every attacker"
    for attribute in found.audit.attributes:
        gone = attribute.reduction
        if gone is not None:
            print_line(
                f"{attribute.name}: {percent(gone.before)} read before, {percent(gone.after)} "
                f"after; chance {percent(attribute.chance)} ({mode})"
            )
    for number in found.audit.continuous:
        if number.after is not None:
            print_line(
                f"{number.name}: R2 {number.before.strongest.r2:.2f} before, "
                f"{number.after.strongest.r2:.2f} after, as a number (every regressor)"
            )
    print_line(_recognition(found, identity))
    if found.drawn is not None:
        print_line(f"{found.drawn}; these were attacked, all were moved")
    for line in found.lines():
        print_line(line)
    if found.unlabelled:
        sample, name = out.below("sample.parquet").shown, found.unlabelled[0]
        print_line(
            f"next: labels of {' and '.join(found.unlabelled)} are estimates; to know, label a "
            f"random sample: sensitivenets annotate {sample} --attribute {name} (with --images, if "
            "there are some), --export it, and protect again with --sample"
        )
    else:
        print_line(
            "next: map people who come later: sensitivenets transform "
            f"{out.below('model').shown} LATER --out later_agnostic.parquet"
        )
    print_line(f"open: {page}")


def _recognition(found: Protection, identity: str | None) -> str:
    kept = found.audit.recognition
    if kept is None or kept.before is None or kept.after is None:
        why = "name the column of identities with --identity" if identity is None else "see report"
        return f"recognition: not measured; {why}"
    return (
        f"recognition: {percent(kept.before.value)} before, {percent(kept.after.value)} after "
        f"({kept.explanation})"
    )


def _summary(found: Protected | ProtectedSource, out: Place) -> dict[str, Any]:
    kept = found.audit.recognition
    measured = {} if kept is None else {"before": kept.before, "after": kept.after}
    return {
        "table": out.below(found.table_name).shown,
        "model": out.below("model").shown,
        "report": out.below("report").shown,
        "attributes": {
            one.name: {"before": one.reduction.before, "after": one.reduction.after}
            for one in found.audit.attributes
            if one.reduction is not None
        },
        "continuous": {
            one.name: {"before": one.before.strongest.r2, "after": one.after.strongest.r2}
            for one in found.audit.continuous
            if one.after is not None
        },
        "recognition": {side: one.value for side, one in measured.items() if one is not None},
        "adapted": found.adapted.record(),
        "taken": str(found.taken),
        "why": found.why,
    } | ({} if found.drawn is None else {"drawn": found.drawn})
