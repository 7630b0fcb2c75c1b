"""``sensitivenets diveface``: annotation lists, balanced sets, and new sets built like them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from cyclopts import App

from sensitivenets.cli import diveface_files as shown
from sensitivenets.cli.diveface_build import build
from sensitivenets.cli.diveface_files import (
    attributes_of,
    identity_column_of,
    read_labelled,
    subject_of,
)
from sensitivenets.cli.help_pages import examples
from sensitivenets.cli.selection import refuse_existing, refuse_table
from sensitivenets.errors import InputError


def read(
    lists: Path,
    /,
    *,
    out: Path,
    table: Path | None = None,
    images: Path | None = None,
    image: str | None = None,
    identity: str | None = None,
    missing: Path | None = None,
    skip_bad: bool = False,
    embedding: str = "embedding",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Read the six annotation lists, and join them to your embeddings or photographs.

    Parameters
    ----------
    lists
        Folder with Group1_Female.txt to Group3_Male.txt.
    out
        Parquet file to write: subject, image, gender, ethnicity, and the embeddings if any.
    table
        Embeddings of the photographs, as `sensitivenets embed` writes them.
    images
        Folder of the photographs, <identity>/<file>: says which are there.
    image
        Column of the table that names the photograph, by which it is joined; image unless given.
    identity
        Column of the table that says who a row shows: join by it instead.
    missing
        Parquet file to write, naming the annotated photographs that were not found.
    skip_bad
        Leave out wrong lines, with a warning.
    embedding
        Name of the embedding column.
    overwrite
        Replace files that are already there.
    json
        Write the result as JSON.
    """
    if table is not None and images is not None:
        raise InputError("--images: expected --table or --images, found both; give one of them")
    if image is not None and identity is not None:
        raise InputError("--identity: expected --image or --identity, found both; give one of them")
    if missing is not None and table is None and images is None:
        raise InputError("--missing: expected --table or --images to look for photographs in")
    for path in (out, *([missing] if missing else [])):
        refuse_table(path, overwrite=overwrite)
    from sensitivenets.datasets.diveface import (
        LabelledSet,
        join_embeddings,
        join_images,
        read_lists,
        write_set,
    )
    from sensitivenets.embeddings import read_table

    annotations = read_lists(lists, skip_bad=skip_bad)
    joined = None
    if images is not None:
        joined = join_images(annotations, images)
    elif table is not None:
        rows = read_table(table, embedding=embedding)
        by, column = ("image", image or "image") if identity is None else ("subject", identity)
        joined = join_embeddings(annotations, rows, column, by=by)
    labelled = LabelledSet(annotations) if joined is None else joined.found
    write_set(labelled, out)
    if joined is not None and missing is not None:
        write_set(LabelledSet(joined.missing), missing)
    shown.print_read(labelled, joined, out, missing, json=json)


def stats(
    source: Path,
    /,
    *,
    attribute: list[str] | None = None,
    identity: str | None = None,
    where: list[str] | None = None,
    out: Path | None = None,
    embedding: str = "embedding",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Count images and identities by class, and draw them.

    Parameters
    ----------
    source
        Any labelled table, or the folder of annotation lists.
    attribute
        Column to count by; give the option once for each. gender and ethnicity unless given.
    identity
        Column of identities; subject unless given, if there is one.
    where
        Use only the rows with COLUMN=VALUE; may be given several times.
    out
        Picture to write, as .svg and .png.
    embedding
        Name of the embedding column.
    overwrite
        Replace a picture that is already there.
    json
        Write the result as JSON.
    """
    if out is not None:
        for ending in (".svg", ".png"):
            refuse_existing(out.with_suffix(ending), overwrite=overwrite)
        if importlib.util.find_spec("matplotlib") is None:
            raise InputError("a picture needs: pip install 'sensitivenets[plots]'")
    from sensitivenets.datasets.diveface import set_statistics

    labelled = read_labelled(source, where or [], embedding)
    classes = labelled.classes(attributes_of(labelled, attribute))
    has_split = "split" in labelled.columns.column_names
    split = labelled.labels("split") if has_split else None
    counted = set_statistics(subject_of(labelled, identity), classes, split)
    if out is not None:
        from sensitivenets.plots import save
        from sensitivenets.plots.diveface import plot_statistics

        save(plot_statistics(counted), out.with_suffix(""))
    shown.print_statistics(counted, out, json=json)


def propose(
    table: Path,
    /,
    *,
    reference: Path,
    out: Path,
    attribute: list[str] | None = None,
    confidence: float = 0.9,
    identity: str | None = None,
    reference_identity: str | None = None,
    reference_where: list[str] | None = None,
    random_state: int = 0,
    embedding: str = "embedding",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Propose labels for photographs without any, and say how many will be wrong.

    A classifier is fitted on another table that has labels. Labels already in the table are kept,
    and tell how well the others do. What it is not sure of stays unlabelled: see `annotate`.

    Parameters
    ----------
    table
        Embeddings to label, as `sensitivenets embed` writes them.
    reference
        Embeddings of the same network that have the labels.
    out
        Parquet file to write: the table with each attribute, its confidence and its source.
    attribute
        Column of the labelled table; give the option once for each. gender and ethnicity unless
        given.
    confidence
        Propose no label that is less likely than this.
    identity
        Column of identities in the table, which get one label each; subject if there is one.
    reference_identity
        The same in the labelled table.
    reference_where
        Use only the rows of the labelled table with COLUMN=VALUE; may be given several times.
    random_state
        Decides how the labelled table is divided.
    embedding
        Name of the embedding column.
    overwrite
        Replace a file that is already there.
    json
        Write the result as JSON.
    """
    refuse_table(out, overwrite=overwrite)
    from sensitivenets.annotation.propose_table import propose_labels
    from sensitivenets.cli.selection import read_rows
    from sensitivenets.datasets.diveface import write_set
    from sensitivenets.datasets.diveface.labelled_set import of_table
    from sensitivenets.progress import Steps, progress_bar

    rows = read_rows(table, [], embedding)
    known = read_rows(reference, reference_where or [], embedding, "--reference-where")
    names = attributes_of(of_table(known), attribute)
    own = identity_column_of(of_table(rows), identity)
    theirs = identity_column_of(of_table(known), reference_identity)
    labelled, made = of_table(rows), []
    with progress_bar("propose") as progress:
        steps = Steps(len(names), progress)
        for name in names:
            made.append(
                propose_labels(
                    rows,
                    known,
                    name,
                    confidence=confidence,
                    identity=own,
                    reference_identity=theirs,
                    random_state=random_state,
                )
            )
            labelled = labelled.with_columns(shown.columns_of(made[-1]))
            steps.advance(name)
    write_set(labelled, out)
    shown.print_proposed(made, out, json=json)


diveface = App(
    name="diveface",
    help="Read DiveFace's annotation lists; build balanced sets and their splits, of it or of "
    "photographs of yours.",
    help_epilogue=examples("diveface"),
)
for _command in (read, build, stats, propose):
    diveface.command(_command, help_epilogue=examples(f"diveface {_command.__name__}"))
