"""``sensitivenets annotate``: people label, a classifier proposes."""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import os
import re
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sensitivenets.cli.output import print_json, print_line, print_notice
from sensitivenets.cli.selection import refuse_table
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.annotation.gate import Gate
    from sensitivenets.annotation.labelling import Labelling
    from sensitivenets.embeddings import EmbeddingTable

_TOKEN = "SENSITIVENETS_TOKEN"


def annotate(
    table: Path,
    /,
    *,
    attribute: str,
    images: Path | None = None,
    class_: Annotated[list[str] | None, Parameter(name="--class")] = None,
    labels: Path | None = None,
    identity: str | None = None,
    image: Annotated[str | None, Parameter(alias="--image-column")] = None,
    embedding: str = "embedding",
    host: str = "127.0.0.1",
    port: int = 8765,
    no_browser: bool = False,
    random_state: int = 0,
    export: Path | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Label an attribute by eye: a local page shows the most doubtful rows first.

    A classifier on the embeddings proposes labels and learns from yours. Every decision is kept
    in a file beside the table; several people may work at once. Ctrl-C ends it, nothing is lost.

    Parameters
    ----------
    table
        Embeddings: .parquet, .npz, or .npy.
    attribute
        Column to label or to check; need not be there yet.
    images
        Folder of pictures; without it, rows are shown by name.
    class_
        A label that may be given, beyond those in the column; may be given several times.
    labels
        File of decisions; TABLE.ATTRIBUTE.labels beside the table unless given.
    identity
        Column of identities: photographs of one person do not teach about each other.
    image
        Column that names the picture of each row; image unless given.
    embedding
        Name of the embedding column.
    host
        Address to listen on; any but this machine's own asks for a token, which is printed, or
        taken from SENSITIVENETS_TOKEN.
    port
        Port; 0 for any that is free.
    no_browser
        Only print the address.
    random_state
        Decides the order of the random checks.
    export
        Write table and labels, each with its provenance, to this .parquet file instead.
    overwrite
        Replace an exported file that is already there.
    json
        Write the result as JSON.
    """
    if export is not None:
        refuse_table(export, overwrite=overwrite)
    for needed in ("starlette", "uvicorn", "PIL"):
        if importlib.util.find_spec(needed) is None:
            raise InputError("labelling needs: pip install 'sensitivenets[annotate]'")
    from sensitivenets.annotation.opening import LabellingOptions, open_labelling
    from sensitivenets.embeddings import read_table

    if labels is None and "/" in attribute:
        raise InputError(
            f"--attribute {attribute}: no name of a file beside the table; name one with --labels"
        )
    rows = read_table(table, embedding=embedding)
    shown = None if export is not None else images
    choice = LabellingOptions(attribute, class_ or (), identity, shown, image, random_state)
    place = labels or table.with_name(f"{table.stem}.{attribute}.labels")
    if export is not None and not place.exists():
        raise InputError(
            f"{place}: no decisions to export; label first, or name them with --labels"
        )
    labelling = open_labelling(rows, choice, place)
    try:
        if export is not None:
            _export(labelling, rows, export, json=json)
        else:
            _serve(labelling, host, port, open_browser=not no_browser, json=json)
    finally:
        labelling.stop()
        labelling.store.close()


def _export(labelling: Labelling, rows: EmbeddingTable, out: Path, *, json: bool) -> None:
    from collections import Counter
    from dataclasses import replace

    from sensitivenets.annotation.export import label_columns
    from sensitivenets.embeddings import write_table

    labelling.train()
    made = label_columns(labelling)
    columns = rows.columns
    for name in made.column_names:
        if name in columns.column_names:
            columns = columns.drop_columns([name])
        columns = columns.append_column(name, made[name])
    write_table(replace(rows, columns=columns), out)
    sources = made[f"{labelling.task.attribute}_source"].to_pylist()
    counts = dict(Counter(source or "none" for source in sources))
    if json:
        print_json({"table": str(out), "rows": len(rows), "sources": counts})
    else:
        parts = ", ".join(f"{count} {source}" for source, count in sorted(counts.items()))
        print_line(f"{len(rows)} rows ({parts}): {out}")


def _serve(labelling: Labelling, host: str, port: int, *, open_browser: bool, json: bool) -> None:
    import webbrowser

    from sensitivenets.annotation.server import listen, make_app, serve

    with listen(host, port) as listener:
        gate = _gate(host, listener.getsockname()[1])
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{gate.port}/" + (f"?token={gate.token}" if gate.token else "")

        def when_ready() -> None:
            if json:
                print_json({"address": address, "labels": str(labelling.store.path)})
            else:
                print_line(f"{address}  decisions are kept in {labelling.store.path}")
            sys.stdout.flush()
            labelling.start()
            if open_browser:
                webbrowser.open(address)

        if labelling.images is not None and len(labelling.images) < labelling.task.n_rows:
            missing = labelling.task.n_rows - len(labelling.images)
            print_notice(f"{missing} of {labelling.task.n_rows} rows have no picture")
        with contextlib.suppress(KeyboardInterrupt):
            serve(make_app(labelling, gate, _user()), listener, when_ready)
        print_notice("stopped; the same command goes on where it was")


def _gate(host: str, port: int) -> Gate:
    from sensitivenets.annotation.gate import MIN_TOKEN, Gate, is_loopback

    token = os.environ.get(_TOKEN)
    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(24)
    if token is not None and not re.fullmatch(rf"[A-Za-z0-9_-]{{{MIN_TOKEN},}}", token):
        raise InputError(
            f"{_TOKEN}: expected at least {MIN_TOKEN} letters, digits, hyphens or underscores"
        )
    return Gate(host, port, token)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
