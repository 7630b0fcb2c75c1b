"""Pictures are found by name, and only below their folder."""

import io

import numpy as np
import pytest
from PIL import Image

from sensitivenets.annotation.images import SIDE, RowImages
from sensitivenets.errors import InputError


def draw(path, size=(40, 50), colour=(200, 30, 30), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.content)))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    draw(folder / "000007.jpg")
    draw(folder / "anna" / "one.png")
    draw(folder / "anna" / "twice.png")
    draw(folder / "ben" / "twice.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (7, True),
        ("000007", True),
        ("000007.jpg", True),
        ("anna/one.png", True),
        ("one", True),
        ("ben/twice.png", True),
        ("twice.png", False),
        ("notes.txt", False),
        ("../photos/000007.jpg", False),
        ("/etc/passwd", False),
        (8, False),
        (None, False),
        (7.0, False),
    ],
)
def test_a_row_is_matched_by_number_name_or_path(folder, name, found):
    images = RowImages(folder, [7, name])
    assert images.has(1) == found
    assert (images.read(1) is not None) == found


def test_small_files_go_out_as_they_are(folder):
    picture = RowImages(folder, [7, "one"]).read(0)
    assert picture.content == (folder / "000007.jpg").read_bytes()
    assert picture.media_type == "image/jpeg"
    assert RowImages(folder, [7, "one"]).read(1).media_type == "image/png"


def test_large_files_and_other_formats_are_made_small_jpegs(folder):
    noise = np.random.default_rng(0).integers(0, 255, (600, 900, 3)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "large.png")
    draw(folder / "scan.tiff")
    images = RowImages(folder, ["large", "scan"])
    for row in (0, 1):
        assert images.read(row).media_type == "image/jpeg"
    assert pixels(images.read(0)).shape == (round(SIDE * 600 / 900), SIDE, 3)


def test_a_photograph_is_cut_around_its_face(folder):
    photo = np.zeros((400, 600, 3), np.uint8)
    photo[100:200, 300:400] = (250, 250, 250)
    Image.fromarray(photo).save(folder / "street.png")
    cut = pixels(RowImages(folder, ["street"], [(300, 100, 100, 100)]).read(0))
    assert cut.shape == (150, 150, 3)
    assert cut[75, 75].min() > 240
    assert cut[3, 3].max() < 10


def test_links_out_of_the_folder_are_refused(folder, tmp_path):
    draw(tmp_path / "secret.jpg")
    draw(tmp_path / "elsewhere" / "far.jpg")
    (folder / "leak.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "inside.jpg").symlink_to(folder / "000007.jpg")
    (folder / "door").symlink_to(tmp_path / "elsewhere")
    images = RowImages(folder, ["leak", "far", "door/far.jpg", "inside"])
    assert [images.read(row) is not None for row in range(4)] == [False, False, False, True]


def test_what_became_a_link_after_opening_is_refused_too(folder, tmp_path):
    images = RowImages(folder, [7])
    draw(tmp_path / "secret.jpg")
    (folder / "000007.jpg").unlink()
    (folder / "000007.jpg").symlink_to(tmp_path / "secret.jpg")
    assert images.read(0) is None


def test_what_only_calls_itself_an_image_is_not_sent(folder):
    (folder / "script.jpg").write_text("<script>alert(1)</script>")
    (folder / "drawing.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    images = RowImages(folder, ["script", "drawing"])
    assert images.read(0) is None
    assert images.read(1) is None


@pytest.mark.parametrize("row", [-1, 2, 10**9])
def test_other_rows_have_no_picture(folder, row):
    assert RowImages(folder, [7, 7]).read(row) is None


def test_messages(folder, tmp_path):
    with pytest.raises(InputError, match="expected a folder of images"):
        RowImages(tmp_path / "nowhere", [1])
    with pytest.raises(InputError, match=r"such as 'zoe', files such as .*--image"):
        RowImages(folder, ["zoe"])
