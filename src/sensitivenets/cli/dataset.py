"""``sensitivenets dataset``: the lists of published face data sets as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sensitivenets.atomic import check_parent
from sensitivenets.cli.output import print_json, print_line
from sensitivenets.cli.selection import refuse_table
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from sensitivenets.datasets.readers import FaceList, VerificationBin

Kind = Literal["celeba", "fairface", "lfw", "rfw", "utkface", "vggface2", "csv", "bin"]

# Named here; all of them are in --json.
_SHOWN = 3


def dataset(
    kind: Kind,
    source: Path,
    /,
    *,
    out: Path,
    embeddings: Path | None = None,
    image: str = "image",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Read the lists of a face data set: identities, attributes, splits; and join embeddings.

    Parameters
    ----------
    kind
        celeba, fairface, lfw, rfw, utkface or vggface2; csv, labels of your own; or bin, a
        verification set of insightface.
    source
        Folder of the data set as it is published; for csv (with a column image) and bin the file.
    out
        Parquet file to write; for bin a folder of photographs and pairs.parquet.
    embeddings
        Table of embeddings of the photographs: they are written with their labels.
    image
        Column of that table that names the photograph.
    overwrite
        Replace what is already there.
    json
        Write the result as JSON.
    """
    from sensitivenets.datasets.diveface import LabelledSet, write_set
    from sensitivenets.datasets.readers import join_embeddings, read_bin
    from sensitivenets.embeddings import read_table, write_table

    if kind == "bin":
        check_parent(out)
        if out.exists() and not overwrite:
            raise InputError(f"{out}: already exists; choose another name or add --overwrite")
        if embeddings is not None:
            raise InputError("--embeddings: a .bin names no photographs; embed the folder it gives")
        _write_bin(read_bin(source), out, json=json)
        return
    refuse_table(out, overwrite=overwrite)
    faces = _read(kind, source)
    if embeddings is None:
        rows = faces.rows
        write_set(LabelledSet(rows), out)
    else:
        joined = join_embeddings(faces, read_table(embeddings), image)
        rows = joined.columns
        write_table(joined, out)
    _report(faces, rows, out, json=json)


def _read(kind: Kind, source: Path) -> FaceList:
    from sensitivenets.datasets import readers

    of_kind = {
        "celeba": readers.read_celeba,
        "fairface": readers.read_fairface,
        "lfw": readers.read_lfw,
        "rfw": readers.read_rfw,
        "utkface": readers.read_utkface,
        "vggface2": readers.read_vggface2,
        "csv": readers.read_label_file,
    }
    return of_kind[kind](source)


def _report(faces: FaceList, rows: pa.Table, out: Path, *, json: bool) -> None:
    if json:
        print_json({
            "table": str(out),
            "rows": rows.num_rows,
            "listed": len(faces),
            "columns": rows.column_names,
            "missing": list(faces.missing),
            "skipped": dict(faces.skipped),
        })
        return
    print_line(f"{rows.num_rows} of {len(faces)} listed photographs: {out}")
    print_line(f"columns: {', '.join(rows.column_names)}")
    if faces.images is None and rows is faces.rows:
        print_line("photographs: not looked for, their folder is not there")
    for what, names in (("missing in the folder", faces.missing), ("left out", faces.skipped)):
        if names:
            more = ", ..." if len(names) > _SHOWN else ""
            print_line(f"{len(names)} {what}: {', '.join(list(names)[:_SHOWN])}{more}")


def _write_bin(found: VerificationBin, out: Path, *, json: bool) -> None:
    import pyarrow as pa

    from sensitivenets.atomic import atomic_folder
    from sensitivenets.embeddings.parquet_files import write_parquet

    # Numbered, so that embeddings in the order of names are in the order of the pairs.
    with atomic_folder(out) as temporary:
        for k, photograph in enumerate(found.images):
            suffix = ".png" if photograph.startswith(b"\x89PNG") else ".jpg"
            (temporary / f"{k:06d}{suffix}").write_bytes(photograph)
        left = range(0, len(found.images), 2)
        pairs = {"left": left, "right": [k + 1 for k in left], "same": found.same}
        write_parquet(pa.table(pairs), temporary / "pairs.parquet")
    if json:
        print_json({"folder": str(out), "images": len(found.images), "pairs": len(found.same)})
    else:
        print_line(f"{len(found.images)} photographs, {len(found.same)} pairs: {out}")
