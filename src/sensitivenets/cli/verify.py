"""``sensitivenets verify``: how well embeddings tell subjects apart."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from sensitivenets.cli.engine_options import EngineOptions
from sensitivenets.cli.output import percent, print_json, print_line, print_notice, print_table
from sensitivenets.cli.selection import open_rows, read_rows
from sensitivenets.errors import InputError, require_int
from sensitivenets.serialisation import encode

if TYPE_CHECKING:
    from sensitivenets.embeddings import EmbeddingTable, Labels
    from sensitivenets.embeddings.drawn_rows import DrawnRows
    from sensitivenets.verification import AllPairsResult, Pairs, VerificationResult
    from sensitivenets.verification.protocols import Protocol

# Of one core, at 128 features.
_PAIRS_PER_SECOND = 3e7

_HERE = EngineOptions()


def verify(
    table: str,
    /,
    *,
    pairs: Path | None = None,
    protocol: str | None = None,
    training_pairs: Path | None = None,
    identity: str | None = None,
    image: str = "image",
    attribute: Annotated[list[str] | None, Parameter(alias="--group")] = None,
    domain: str | None = None,
    memory_limit: int = 1024,
    refit: bool = False,
    old: str | None = None,
    embedding: str = "embedding",
    exact: bool = False,
    random_state: int = 0,
    json: bool = False,
    work: EngineOptions = _HERE,
) -> None:
    """Measure verification: on given pairs, or on all pairs of a table.

    Parameters
    ----------
    table
        Embeddings: a file, a folder, a glob or a URL of .parquet, .feather, .csv, .jsonl, .npz,
        .npy or .safetensors.
    pairs
        Pairs to compare: .parquet with columns left, right, same (and fold, protocol), or a
        pairs.txt of LFW. Without it, all pairs of the table are compared.
    protocol
        view2 (thresholds chosen on the other folds) or view1 (one part). Where the pairs have a
        column protocol, the value of it to use.
    training_pairs
        For view1: pairs to choose the threshold on, such as pairsDevTrain.txt.
    identity
        Column that says who a row shows; needed without --pairs, else used for intervals. A
        pairs.txt names people by it; by the column subject unless given.
    image
        Column of the image numbers that a pairs.txt names.
    attribute
        Attribute whose groups to compare, a column; give the option once for each.
    domain
        Column of the source of a row, such as a camera: pairs within sources and across them are
        measured apart as well.
    memory_limit
        MiB that the comparison of all pairs may take.
    refit
        Where people are to be hidden: fit comparers anew on half of them, and search for the
        others, all of them enrolled or only some.
    old
        With --refit: the same rows before the map; people are searched in it, too.
    embedding
        Name of the embedding column, or of the columns of its features, such as 'f*'.
    exact
        Compare all pairs even of more than 200 000 rows, of which subjects are drawn unless given.
    random_state
        Seed of the intervals, and of the draw of subjects.
    json
        Write the result as JSON.
    work
        Who compares all pairs.
    """
    require_int("--memory-limit", memory_limit, minimum=1)
    whole = exact or refit or pairs is not None
    if work.engine != "process" and (refit or pairs is not None):
        raise InputError("--engine: expected all pairs to compare, without --pairs or --refit")
    columns = [*(attribute or []), *([domain] if domain else [])]
    rows, drawn = _read(table, embedding, identity, columns, whole, random_state)
    groups = {name: rows.labels(name) for name in attribute or []}
    source = None if domain is None else rows.labels(domain)
    subject = None if identity is None else rows.identities(identity)
    if refit or old is not None:
        if subject is None or pairs is not None or columns or not refit:
            raise InputError(
                "--refit: expected --identity with it, and neither --pairs, --attribute nor "
                "--domain; --old is for --refit"
            )
        before = None if old is None else read_rows(old, [], embedding)
        _recognise(rows, subject, before, random_state, json=json)
        return
    result: AllPairsResult | VerificationResult
    if pairs is not None:
        from sensitivenets.verification import read_pairs
        from sensitivenets.verification import verify as verify_pairs

        who = "subject" if identity is None else identity
        chosen, how = read_protocol(pairs, rows, protocol, subject=who, image=image)
        training = None
        if training_pairs is not None:
            training = read_pairs(training_pairs, rows, subject=who, image=image)
        result = verify_pairs(
            rows,
            chosen,
            protocol=how,
            training=training,
            subject=subject,
            groups=groups,
            domain=source,
            random_state=random_state,
        )
    elif subject is None:
        raise InputError("expected pairs to compare (--pairs) or an identity column (--identity)")
    elif protocol or training_pairs:
        raise InputError("--protocol and --training-pairs are for given pairs: add --pairs")
    else:
        from sensitivenets.audit import progress_bar
        from sensitivenets.verification import verify_all_pairs

        with progress_bar("all pairs") as progress:
            result = verify_all_pairs(
                rows,
                subject,
                groups,
                domain=source,
                memory_limit=memory_limit * 2**20,
                random_state=random_state,
                engine=None if work.engine == "process" else work.make(),
                progress=progress,
            )
        result = replace(result, drawn=None if drawn is None else drawn.sentence())
    if json:
        print_json(result.to_dict())
    else:
        _print_result(result.to_dict())


def _read(
    table: str, embedding: str, identity: str | None, group: list[str], whole: bool, seed: int
) -> tuple[EmbeddingTable, DrawnRows | None]:
    """Read a table, or of a large one the rows of subjects that are drawn."""
    from sensitivenets.codes.code_files import is_code_file
    from sensitivenets.embeddings.drawn_rows import MOST_ROWS, draw_rows
    from sensitivenets.embeddings.label_doubts import without_blanks

    if whole or identity is None or is_code_file(table):
        rows = read_rows(table, [], embedding)
        _say_cost(len(rows))
        return rows, None
    source = open_rows(table, [], embedding)
    if source.n_rows <= MOST_ROWS:
        return source.read(), None
    subject = without_blanks(source.read_codes(identity)).codes
    strata = [source.read_codes(name) for name in group]
    drawn = draw_rows(source.n_rows, subject, strata, seed=seed)
    print_notice(f"{drawn.sentence()}; --exact compares all")
    return source.take(drawn.rows), drawn


def _say_cost(n_rows: int) -> None:
    """Tell before it begins what will take hours."""
    hours = n_rows**2 / 2 / _PAIRS_PER_SECOND / 3600
    if hours > 0.1:
        print_notice(f"{n_rows} rows: all pairs take about {hours:.1f} hours of a core")


def _recognise(
    rows: EmbeddingTable,
    subject: Labels,
    old: EmbeddingTable | None,
    random_state: int,
    *,
    json: bool,
) -> None:
    """Search for half of the people with comparers fitted on the others."""
    import numpy as np

    from sensitivenets.embeddings.same_rows import match_rows
    from sensitivenets.verification.recognition_attacks import audit_recognition

    if old is not None:
        old = match_rows(rows, old).table
    people = np.random.default_rng(random_state).permutation(len(subject.classes))
    known = np.isin(subject.codes, people[: len(people) // 2])
    found = audit_recognition(
        rows.vectors,
        subject,
        known,
        before=None if old is None else old.vectors,
        random_state=random_state,
    )
    if json:
        print_json(encode(found))
        return
    closed = found.attempts[0].identification
    print_line(
        f"{found.n_attacked} rows attacked, {found.n_known} of people the attacker knows; searches "
        f"among {closed.n_enrolled} people, {percent(closed.chance)} right by chance"
    )
    header = ["comparer", "searched in", "EER", "rank 1", "TPIR at FPIR 0.01"]
    table = [
        [
            *(one.comparer, "old table" if one.linkage else "itself"),
            *(
                "" if rate is None else " ".join(_interval(asdict(rate)))
                for rate in (
                    one.eer,
                    one.identification.rank_1,
                    one.identification.open_set[0].tpir,
                )
            ),
        ]
        for one in found.attempts
    ]
    print_table(header, table)


def read_protocol(
    path: Path,
    table: EmbeddingTable,
    name: str | None,
    *,
    subject: str = "subject",
    image: str = "image",
) -> tuple[Pairs, Protocol | None]:
    """Read the pairs of a protocol, and tell how to evaluate them."""
    from sensitivenets.verification import read_pairs

    how: Protocol | None = None
    if name is not None:
        how = "view2" if name.startswith("view2") else "view1" if name.startswith("view1") else None
    named_in_file = name is not None and _has_protocols(path)
    if how is None and name is not None and not named_in_file:
        raise InputError(f"--protocol: expected view1 or view2, found {name!r}")
    chosen = name if named_in_file else None
    return read_pairs(path, table, protocol=chosen, subject=subject, image=image), how


def _has_protocols(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix != ".parquet" or not path.is_file():
        return False
    try:
        return "protocol" in pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return False  # read_pairs says what is wrong with it


def _print_result(result: dict[str, Any]) -> None:
    subjects = f"{result['n_subjects']} subjects"
    print_line(
        f"{result['protocol']}: {result['n_genuine']} genuine and {result['n_impostor']} impostor "
        f"pairs of {subjects}"
    )
    rows = []
    if "accuracy" in result:
        rows.append(["accuracy", *_interval(result["accuracy"])])
    rows += [
        ["equal error rate", *_interval(result["eer"])],
        ["area under ROC", *_interval(result["auc"])],
    ]
    for point in result["fnmr_at_fmr"]:
        name = f"FNMR at FMR {point['target_fmr']:g}"
        rows.append([name, *(_interval(point["fnmr"]) if point["fnmr"] else ("refused", ""))])
    print_table(["", "value", "95 % interval"], rows)
    for point in result["fnmr_at_fmr"]:
        if point["refused"]:
            print_line(f"refused: {point['refused']}")
    _print_groups(result["groups"])
    if domains := result.get("domains"):
        _print_domains(domains)
    if drawn := result.get("drawn"):
        print_line(drawn)


def _interval(estimate: dict[str, Any]) -> tuple[str, str]:
    low, high = 100 * estimate["low"], 100 * estimate["high"]
    return f"{100 * estimate['value']:.2f} %", f"[{low:.2f}, {high:.2f}]"


def _print_groups(groups: list[dict[str, Any]]) -> None:
    for comparison in groups:
        print_line()
        print_line(f"{comparison['attribute']}, threshold at FMR {comparison['target_fmr']:g}")
        rows = [
            [group["group"], _rate(group["fmr"]), _rate(group["fnmr"]), str(group["n_subjects"])]
            for group in comparison["groups"]
        ]
        print_table(["group", "FMR", "FNMR", "subjects"], rows)


def _print_domains(domains: dict[str, Any]) -> None:
    print_line()
    targets = [point["target_fmr"] for point in domains["kinds"][0]["fnmr_at_fmr"]]
    header = [domains["domain"], "genuine", "impostor", "EER"]
    header += [f"FNMR at FMR {target:g}" for target in targets]
    rows = []
    for kind in domains["kinds"]:
        own = [_rate(kind["eer"]), *(_rate(point["fnmr"]) for point in kind["fnmr_at_fmr"])]
        rows.append([kind["kind"], str(kind["n_genuine"]), str(kind["n_impostor"]), *own])
    print_table(header, rows)
    for kind in domains["kinds"]:
        if kind["refused"]:
            print_line(f"refused: {kind['refused']}")
    _print_groups(domains["at_one_threshold"])


def _rate(estimate: dict[str, Any] | None) -> str:
    return "refused" if estimate is None else " ".join(_interval(estimate))
