"""DiveFace: its lists, joins, balanced sets and splits; and labels for a set that has none."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.annotation.propose_table import propose_labels
from sensitivenets.datasets.diveface import (
    Balance,
    LabelledSet,
    SplitSizes,
    balance,
    join_embeddings,
    join_images,
    read_lists,
    set_statistics,
    sizes_in_proportion,
    split_set,
)
from sensitivenets.datasets.diveface.lists import GENDERS, GROUPS, list_name
from sensitivenets.datasets.synthetic import synthetic_diveface
from sensitivenets.embeddings import EmbeddingTable, encode, read_table, write_table
from sensitivenets.errors import DataWarning, InputError

real = pytest.mark.skipif(
    "SENSITIVENETS_DATA" not in os.environ, reason="needs SENSITIVENETS_DATA, the real data"
)


def write_lists(folder, n_identities=6, n_images=4, change=None):
    """Write six lists; identity k of a class has `n_images` + k images."""
    folder.mkdir(parents=True, exist_ok=True)
    for gender in GENDERS:
        for group in GROUPS:
            name = list_name(gender, group)
            people = [f"{gender[0]}{group[-1]}_{k}" for k in range(n_identities)]
            lines = [f"{p}/{j}.jpg" for k, p in enumerate(people) for j in range(n_images + k)]
            (folder / name).write_text("\n".join((change or {}).get(name, lines)) + "\n")
    return folder


@pytest.fixture
def lists(tmp_path):
    return write_lists(tmp_path / "lists")


def columns_of(table):
    """Identities and classes of a table of labels."""
    labelled = LabelledSet(table)
    return labelled.labels("subject"), labelled.classes(["gender", "ethnicity"])


def test_the_lists_give_a_row_an_image(lists):
    table = read_lists(lists)
    assert table.num_rows == 6 * sum(range(4, 10))
    assert table.slice(0, 1).to_pylist() == [
        {"subject": "F1_0", "image": "F1_0/0.jpg", "gender": "Female", "ethnicity": "Group 1"}
    ]
    assert len(set(table["subject"].to_pylist())) == 36


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a/1.jpg", "b"], r"1 malformed, .*: Group1_Female.txt:2 'b'"),
        (["a/1.jpg", "../x.jpg"], "1 malformed"),
        (["a/b/1.jpg", "a/1.jpg"], "1 malformed"),
        (["a/1.jpg", "a/1.jpg"], "1 duplicated: Group1_Female.txt:2 'a/1.jpg', as line 1"),
        (["a/1.jpg", "M3_0/9.jpg"], "1 identities in two lists: 'M3_0' at Group1_Female.txt:2"),
        ([""], "Group1_Female.txt: expected <identity>/<file> lines, found none"),
    ],
)
def test_wrong_lines_are_counted_and_named(tmp_path, lines, message):
    folder = write_lists(tmp_path / "l", change={"Group1_Female.txt": lines})
    with pytest.raises(InputError, match=message):
        read_lists(folder)


def test_wrong_lines_may_be_left_out(tmp_path):
    lines = ["a/1.jpg", "b", "a/1.jpg", "M3_0/9.jpg"]
    folder = write_lists(tmp_path / "l", change={"Group1_Female.txt": lines})
    with pytest.warns(DataWarning, match="1 malformed.*1 duplicated.*1 identities in two lists"):
        table = read_lists(folder, skip_bad=True)
    subjects = table["subject"].to_pylist()
    # Nobody knows which list is right about an identity in two.
    assert subjects.count("a") == 1
    assert "M3_0" not in subjects


def test_a_missing_list_is_named(lists):
    (lists / "Group2_Male.txt").unlink()
    with pytest.raises(InputError, match=r"1 of the six .* are not there: Group2_Male.txt"):
        read_lists(lists)


def test_photographs_that_are_not_there_are_counted_by_class(lists, tmp_path):
    table = read_lists(lists)
    for image in [*table["image"].to_pylist()[1:], "F1_0/unlisted.jpg"]:
        path = tmp_path / "photos" / image
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    joined = join_images(table, tmp_path / "photos")
    assert joined.missing["image"].to_pylist() == ["F1_0/0.jpg"]
    assert joined.missing_by_class() == {"Female x Group 1": (1, 1)}
    assert (len(joined.found), joined.n_unlisted) == (table.num_rows - 1, 1)


def test_embeddings_are_joined_by_image_or_by_subject(lists):
    table = read_lists(lists)
    images = ["/disk/M3_0/0.jpg", "F1_1/2.jpg", "nobody/1.jpg"]
    vectors = np.eye(3, dtype=np.float32)
    columns = pa.table({"image": images, "who": ["M3_0", "F1_1", "nobody"]})
    for by, column in (("image", "image"), ("subject", "who")):
        joined = join_embeddings(table, EmbeddingTable(vectors, columns), column, by=by)
        assert joined.found.labels("gender").classes == ("Female", "Male")
        assert joined.found.columns["gender"].to_pylist() == ["Male", "Female"]
        np.testing.assert_array_equal(joined.found.vectors, vectors[:2])
        assert joined.n_unlisted == 1
    by_image = join_embeddings(table, EmbeddingTable(vectors, columns))
    assert by_image.missing.num_rows == table.num_rows - 2
    with pytest.raises(InputError, match=r"no row names an annotated .* found 'nobody/1"):
        join_embeddings(table, EmbeddingTable(vectors, columns).take(np.array([2])))


def test_a_balanced_set_has_as_many_identities_of_each_class(lists):
    subject, classes = columns_of(read_lists(lists))
    drawn = balance(subject, classes, Balance(identities=2, min_images=6, images=5))
    assert drawn.available == dict.fromkeys(classes.classes, 4)
    for code in range(6):
        people, counts = np.unique(
            subject.codes[drawn.rows[classes.codes[drawn.rows] == code]], return_counts=True
        )
        assert (len(people), set(counts)) == (2, {5})
    again, other = (balance(subject, classes, Balance(2), seed).rows for seed in (0, 1))
    np.testing.assert_array_equal(again, balance(subject, classes, Balance(2), 0).rows)
    assert not np.array_equal(again, other)


def test_too_few_identities_are_refused_with_what_would_do(lists):
    subject, classes = columns_of(read_lists(lists))
    with pytest.raises(InputError, match=r"expected 7 .* found 'Female x Group 1' 6.*ask for 6"):
        balance(subject, classes, Balance(identities=7))
    with pytest.raises(InputError, match="identities: expected at least 1, found 0"):
        Balance(identities=0)


def test_identities_of_two_classes_are_left_out():
    subject = encode("subject", ["a", "a", "b", "c"])
    classes = encode("gender", ["Female", "Male", "Female", "Male"])
    drawn = balance(subject, classes, Balance(min_images=1))
    assert drawn.contradicting == ("a",)
    assert drawn.rows.tolist() == [2, 3]


def test_the_parts_of_a_split_share_nobody_and_have_their_sizes(tmp_path):
    subject, classes = columns_of(read_lists(write_lists(tmp_path / "l", 20, 3)))
    sizes = SplitSizes(detectors=30, attack_train=54, attack_test=18, images=3)
    split, attack = split_set(subject, classes, sizes)
    assert attack is None
    rows = {name: split == name for name in ("detectors", "attack_train", "attack_test")}
    assert {name: int(mask.sum()) for name, mask in rows.items()} == {
        "detectors": 90,
        "attack_train": 54,
        "attack_test": 18,
    }
    for mask in rows.values():
        assert len(set(np.bincount(classes.codes[mask]))) == 1
    people = [set(subject.codes[mask]) for mask in (*rows.values(), split == "triplets")]
    assert sum(map(len, people)) == len(set.union(*people)) == 120


def test_as_published_the_attackers_are_drawn_from_everybody(tmp_path):
    subject, classes = columns_of(read_lists(write_lists(tmp_path / "l", 20, 3)))
    sizes = SplitSizes(detectors=30, attack_train=54, attack_test=18, images=3)
    split, attack = split_set(subject, classes, sizes, as_published=True)
    assert set(split[split != None]) == {"detectors", "triplets"}  # noqa: E711
    train, test = (set(subject.codes[attack == f"attack_{part}"]) for part in ("train", "test"))
    assert not train & test
    assert len(set(subject.codes[split == "triplets"])) == 120 - 30


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (SplitSizes(7, 54, 18), "detectors: expected a multiple of the 6 classes"),
        (SplitSizes(600, 54, 18), r"class 'Female x Group 1' has 20 identities, expected at least"),
        (SplitSizes(30, 54, 18, images=9), "expected at least 9 images of each identity"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(tmp_path, sizes, message):
    subject, classes = columns_of(read_lists(write_lists(tmp_path / "l", 20, 3)))
    with pytest.raises(InputError, match=message):
        split_set(subject, classes, sizes)


def test_in_proportion_diveface_has_the_numbers_of_the_paper():
    assert sizes_in_proportion(4000, 6) == SplitSizes(3000, 9000, 1800, 3)


def test_statistics_by_hand():
    subject = encode("subject", ["a", "a", "a", "b", "c"])
    classes = encode("gender", ["F", "F", "F", "F", "M"])
    split = encode("split", ["x", "x", "x", "y", "y"])
    female, male, everyone = set_statistics(subject, classes, split)
    assert (female.images, female.identities, female.mean) == (4, 2, 2.0)
    assert female.images_per_identity.tolist() == [1, 3]
    assert female.parts == {"x": (3, 1), "y": (1, 1)}
    assert (male.images, everyone.images, everyone.identities) == (1, 5, 3)


@pytest.fixture(scope="module")
def two_tables():
    """Synthetic faces: one half labelled, one not, of different people; and the labels."""
    table = synthetic_diveface(n_subjects=600, images_per_subject=3, dim=32, random_state=0)
    subjects = table.labels("subject")
    first = np.random.default_rng(0).permutation(len(subjects.classes))[subjects.codes] % 2 == 0
    unknown = table.take(~first)
    hidden = unknown.columns.drop_columns(["gender"])
    return table.take(first), EmbeddingTable(unknown.vectors, hidden), unknown.column("gender")


def test_labels_are_proposed_with_an_honest_noise(two_tables):
    reference, table, true = two_tables
    found = propose_labels(
        table, reference, "gender", identity="subject", reference_identity="subject"
    )
    truth = np.array([found.classes.index(name) for name in true.to_pylist()])
    sure = found.codes >= 0
    assert 0.1 < sure.mean() <= 1
    wrong = (found.codes[sure] != truth[sure]).mean()
    assert wrong < 0.5 * min(np.bincount(truth)) / len(truth)
    assert found.at.noise.low - 0.05 <= wrong <= found.at.noise.high + 0.05
    # One label an identity, and fewer labels the surer they must be.
    subjects = table.labels("subject").codes
    assert all(len(set(found.codes[subjects == k])) == 1 for k in np.unique(subjects))
    kept = [at.kept for at in found.curve]
    assert kept == sorted(kept, reverse=True)


def test_labels_that_are_there_stay_and_measure_the_others(two_tables):
    reference, table, true = two_tables
    some = pa.array([name if k % 6 < 3 else None for k, name in enumerate(true.to_pylist())])
    columns = table.columns.append_column("gender", some)
    found = propose_labels(EmbeddingTable(table.vectors, columns), reference, "gender")
    given = np.array([name is not None for name in some.to_pylist()])
    np.testing.assert_array_equal(found.given, given)
    names = np.array(found.classes)[found.codes[given]]
    assert names.tolist() == [name for name in some.to_pylist() if name is not None]
    assert found.measured.n > 20


def test_proposals_from_another_network_are_refused(two_tables):
    reference, table, _ = two_tables
    narrow = EmbeddingTable(table.vectors[:, :8], table.columns)
    with pytest.raises(InputError, match=r"expected embeddings of 8 features .* found 32"):
        propose_labels(narrow, reference, "gender")


def test_the_command_reads_builds_counts_and_draws(run, tmp_path):
    lists = write_lists(tmp_path / "lists", 12, 3)
    assert run("diveface", "read", lists, "--out", tmp_path / "all.parquet")[0] == 0
    code, printed, _ = run(
        *("diveface", "build", tmp_path / "all.parquet", "--identities", "10", "--images", "3"),
        *("--out", tmp_path / "set.parquet", "--json"),
    )
    assert code == 0
    assert json.loads(printed)["identities_per_class"] == 10
    table = pq.read_table(tmp_path / "set.parquet")
    assert table.num_rows == 6 * 10 * 3
    parts = {"detectors", "triplets", "attack_train", "attack_test"}
    assert set(table["split"].to_pylist()) == parts
    code, printed, _ = run("diveface", "stats", tmp_path / "set.parquet", "--out", tmp_path / "p")
    assert code == 0
    assert "Male x Group 3" in printed
    assert (tmp_path / "p.svg").exists()
    assert (tmp_path / "p.png").exists()


def test_a_new_set_of_a_table_goes_straight_to_an_audit(run, tmp_path):
    table = synthetic_diveface(n_subjects=400, images_per_subject=3, dim=32, random_state=0)
    write_table(EmbeddingTable(table.vectors, table.columns), tmp_path / "t.parquet")
    options = ("--attribute", "gender", "--out", tmp_path / "set.parquet")
    assert run("diveface", "build", tmp_path / "t.parquet", *options)[0] == 0
    built = read_table(tmp_path / "set.parquet")
    subjects = {
        part: set(built.where("split", part).column("subject").to_pylist())
        for part in ("detectors", "triplets", "attack_train", "attack_test")
    }
    assert len(set.union(*subjects.values())) == sum(map(len, subjects.values()))
    code, printed, _ = run(
        *("audit", tmp_path / "set.parquet", "--attribute", "gender", "--quick", "--json"),
        *("--train", "split=attack_train", "--test", "split=attack_test", "--out", tmp_path / "r"),
    )
    assert code == 3, "so few rows leave a wide interval"
    assert json.loads(printed)["attributes"][0]["name"] == "gender"


@real
def test_the_published_lists_have_the_numbers_of_the_paper():
    table = read_lists(Path(os.environ["SENSITIVENETS_DATA"]) / "diveface")
    subject, classes = columns_of(table)
    drawn = balance(subject, classes, Balance(identities=4000))
    assert len(table) == len(drawn.rows) == 139_677
    assert set(drawn.available.values()) == {4000}
    split, _ = split_set(subject, classes, sizes_in_proportion(4000, 6))
    assert {name: int((split == name).sum()) for name in ("attack_train", "attack_test")} == {
        "attack_train": 9000,
        "attack_test": 1800,
    }
