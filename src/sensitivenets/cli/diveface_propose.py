"""``sensitivenets diveface propose``: labels for photographs that have none."""

from __future__ import annotations

from pathlib import Path

from sensitivenets.cli import diveface_output as shown
from sensitivenets.cli.diveface_inputs import attributes_of, identity_column_of
from sensitivenets.cli.selection import refuse_table


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
    from sensitivenets.cli.selection import read_rows
    from sensitivenets.diveface import propose_labels, write_set
    from sensitivenets.diveface.labelled_set import of_table
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
