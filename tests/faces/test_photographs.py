"""What lies in a folder of photographs, and whom its folders name."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from sensitivenets.errors import InputError
from sensitivenets.faces.photographs import (
    find_photographs,
    require_clear_subjects,
    subject_of,
)


def place(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), "red").save(path, "PNG")


def found(folder):
    photographs = find_photographs(folder)
    left_out = {one.image: one.reason for one in photographs.left_out}
    return [path.relative_to(folder).as_posix() for path in photographs.images], left_out


def test_every_ending_that_cameras_and_phones_write_is_looked_at(tmp_path):
    names = ["a.JPG", "b.jfif", "c.jpe", "d.mpo", "e.avif", "f.ppm", "g.pgm", "h.webp", "i.tif"]
    place(tmp_path, *names)
    assert found(tmp_path) == (sorted(names), {})


def test_files_of_other_kinds_are_named_and_hidden_ones_are_not(tmp_path):
    place(tmp_path, "a.png")
    for name in ("IMG_1.HEIC", "raw.dng", "notes", ".DS_Store"):
        (tmp_path / name).write_text("x")
    assert found(tmp_path)[1] == {
        "IMG_1.HEIC": "of a kind that is not read: .HEIC",
        "raw.dng": "of a kind that is not read: .dng",
        "notes": "of a kind that is not read: no ending",
    }


def test_a_folder_without_images_says_what_it_has(tmp_path):
    for k in range(2):
        (tmp_path / f"{k}.heic").write_text("x")
    with pytest.raises(InputError, match=r"found no image; .* it has 2 of a kind .* \.heic"):
        find_photographs(tmp_path)


def test_links_are_followed_to_files_inside_alone_and_all_others_are_named(tmp_path):
    photos, outside = tmp_path / "photos", tmp_path / "outside"
    place(photos, "ann/1.png")
    place(outside, "2.png")
    links = {
        "same.png": photos / "ann" / "1.png",
        "secret.png": outside / "2.png",
        "bob": outside,
        "loop": photos,
        "gone.png": photos / "nothing.png",
    }
    for name, target in links.items():
        (photos / name).symlink_to(target)
    os.mkfifo(photos / "pipe.png")
    images, left_out = found(photos)
    assert images == ["ann/1.png", "same.png"]
    assert left_out == {
        "bob": "a link out of the folder, which is not followed; copy what it leads to",
        "gone.png": "a link that leads nowhere",
        "loop": "a link to a folder, which is not followed: it is searched where it is",
        "pipe.png": "no regular file",
        "secret.png": "a link out of the folder, which is not followed; copy what it leads to",
    }


def test_a_name_that_is_no_utf8_is_named_by_its_bytes(tmp_path):
    place(tmp_path, "a.png")
    (tmp_path / os.fsdecode(b"b\xff.png")).write_bytes((tmp_path / "a.png").read_bytes())
    assert found(tmp_path) == (["a.png"], {"b\\xff.png": "its name is no UTF-8; rename it"})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every folder")
def test_a_folder_that_may_not_be_opened_is_named(tmp_path):
    place(tmp_path, "ann/1.png", "bob/1.png")
    (tmp_path / "bob").chmod(0)
    images, left_out = found(tmp_path)
    (tmp_path / "bob").chmod(0o700)
    assert (images, left_out) == (["ann/1.png"], {"bob": "not opened: Permission denied"})


@pytest.mark.parametrize(
    ("image", "level", "subject"),
    [
        ("ann/0.jpg", None, "ann"),
        ("ann/2019/0.jpg", None, "2019"),
        ("ann/2019/0.jpg", 1, "ann"),
        ("train/ann/0.jpg", 2, "ann"),
        ("0.jpg", None, None),
        ("ann/0.jpg", 2, None),
    ],
)
def test_a_folder_names_the_subject(image, level, subject):
    assert subject_of(image, level) == subject


UNCLEAR = [
    (["ann/2019/0.jpg", "bob/2019/0.jpg", "bob/2020/0.jpg"], "2 folders are named '2019'"),
    (["train/ann/0.jpg", "test/ann/0.jpg"], r"'ann' \('test/ann', 'train/ann'\)"),
    (["ann/0.jpg", "ann/2019/1.jpg"], "'ann' and 'ann/2019' both have photographs"),
    (["ann/0.jpg", "ann/2019/01/1.jpg"], "'ann' and 'ann/2019/01' both have"),
]


@pytest.mark.parametrize(("images", "message"), UNCLEAR)
def test_folders_that_do_not_say_whom_they_are_of_are_refused(images, message):
    with pytest.raises(InputError, match=f"{message}.*--subject-level"):
        require_clear_subjects(images, None)
    require_clear_subjects(images, 1)


@pytest.mark.parametrize(
    "images", [["ann/0.jpg", "bob/0.jpg"], ["0.jpg", "ann/1.jpg"], ["a/ann/0.jpg", "b/bob/0.jpg"]]
)
def test_folders_that_do_are_taken(images):
    require_clear_subjects(images, None)


def test_a_level_that_no_photograph_has_is_refused():
    with pytest.raises(InputError, match=r"--subject-level 3: no photograph .* 2 at most"):
        require_clear_subjects(["a/b/0.jpg", "1.jpg"], 3)


def test_the_command_asks_for_the_level_and_names_what_it_left_out(run, tmp_path, means):
    photos = tmp_path / "photos"
    for k, name in enumerate(("ann/2019/0.png", "bob/2019/0.png")):
        (photos / name).parent.mkdir(parents=True)
        Image.fromarray(np.full((8, 8, 3), 50 + 100 * k, np.uint8)).save(photos / name)
    (photos / "clip.mov").write_text("x")
    (tmp_path / "n.json").write_text(json.dumps({"side": 8}))
    arguments = ("embed", photos, "--aligned", "--model", means, "--network", tmp_path / "n.json")
    out = tmp_path / "t.parquet"
    code, _, err = run(*arguments, "--out", out)
    assert (code, "2 folders are named '2019'" in err) == (2, True)
    assert not list(tmp_path.glob("t.parquet*"))
    code, printed, _ = run(*arguments, "--out", out, "--subject-level", "1")
    assert code == 0
    assert "left out 1, of a kind that is not read: .mov: clip.mov" in printed
    code, printed, _ = run("info", out, "--identity", "subject", "--json")
    assert json.loads(printed)["columns"]["subject"]["distinct"] == 2
