"""Photographs as cameras and phones write them."""

import io
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from sensitivenets.errors import InputError
from sensitivenets.faces.images import read_image

RNG = np.random.default_rng(0)
# A scene with lights and shadows, smooth enough for JPEG, and not the same when turned.
ACROSS = np.linspace(0, 1, 48)
SCENE = np.stack(
    [
        np.outer(ACROSS[:40], ACROSS),
        np.outer(1 - ACROSS[:40], ACROSS),
        np.outer(np.sqrt(ACROSS[:40]), 1 - ACROSS),
    ],
    axis=2,
)
EIGHT = (255 * SCENE).round().astype(np.uint8)
GREY = EIGHT[:, :, 1]


def same_picture(path, expected, tolerance=3):
    found = read_image(path).astype(int)
    assert found.shape == expected.shape
    return np.abs(found - expected.astype(int)).mean() <= tolerance


def three(grey):
    return np.repeat(grey[:, :, None], 3, axis=2)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("colour", [False, True])
def test_bits_that_are_not_used_do_not_make_it_dark(bits, ending, colour, tmp_path):
    path = tmp_path / f"deep.{ending}"
    scene = SCENE if colour else SCENE[:, :, 1]
    deep = (scene / scene.max() * (2**bits - 1)).round().astype(np.uint16)
    assert cv2.imwrite(str(path), deep[:, :, ::-1] if colour else deep)
    expected = 255 * scene / scene.max()
    assert same_picture(path, expected if colour else three(expected), 1)


def test_sixteen_bits_with_transparency_keep_their_colours(tmp_path):
    deep = (SCENE * 4095).round().astype(np.uint16)
    deep = np.dstack([deep[:, :, ::-1], np.full(deep.shape[:2], 65535, np.uint16)])
    cv2.imwrite(str(tmp_path / "a.png"), deep[:, :, :4])
    # The transparency uses all bits; the colours are what is looked at.
    assert same_picture(tmp_path / "a.png", EIGHT, 1)


@pytest.mark.parametrize("white", [1, 255, 4095, 65535])
def test_real_values_are_fractions_or_run_to_what_they_reach(white, tmp_path):
    real = (SCENE[:, :, 1] / SCENE[:, :, 1].max() * white).astype(np.float32)
    real[0, 0] = np.nan
    Image.fromarray(real).save(tmp_path / "real.tif")
    expected = SCENE[:, :, 1] / SCENE[:, :, 1].max() * 255
    assert same_picture(tmp_path / "real.tif", three(expected), 1)


def test_a_scan_whose_zero_is_white_is_no_negative(tmp_path):
    turned = Image.fromarray((255 - GREY).astype(np.uint16) * 257)
    turned.save(tmp_path / "scan.tif", tiffinfo={262: 0})
    assert same_picture(tmp_path / "scan.tif", three(GREY), 1)


@pytest.mark.parametrize("second", ["a gain map", "a second view", "depth"])
def test_the_first_picture_of_a_phone_s_container_is_the_photograph(second, tmp_path):
    size, mode = {"a gain map": ((12, 10), "L"), "a second view": ((48, 40), "RGB")}.get(
        second, ((24, 20), "L")
    )
    Image.fromarray(EIGHT).save(
        tmp_path / "phone.jpg",
        format="MPO",
        save_all=True,
        append_images=[Image.new(mode, size, "white")],
        quality=95,
    )
    with Image.open(tmp_path / "phone.jpg") as opened:
        assert opened.n_frames == 2
    assert same_picture(tmp_path / "phone.jpg", EIGHT)


def test_what_is_appended_to_a_jpeg_does_not_matter(tmp_path):
    # Samsung and motion photographs: a video or a depth map behind the end of the picture.
    Image.fromarray(EIGHT).save(tmp_path / "motion.jpg", quality=95)
    with (tmp_path / "motion.jpg").open("ab") as file:
        file.write(RNG.bytes(5000))
    assert same_picture(tmp_path / "motion.jpg", EIGHT)


def pages(path, *images, kinds):
    made = [Image.fromarray(image) for image in images]
    for image, kind in zip(made, kinds, strict=True):
        image.encoderinfo = {"tiffinfo": {254: kind}}
    made[0].save(path, save_all=True, append_images=made[1:], tiffinfo={254: kinds[0]})


@pytest.mark.parametrize("thumbnail_first", [False, True])
def test_a_thumbnail_is_not_the_photograph(thumbnail_first, tmp_path):
    small = np.full((8, 8, 3), 7, np.uint8)
    images, kinds = [EIGHT, small], [0, 1]
    if thumbnail_first:
        images, kinds = images[::-1], kinds[::-1]
    pages(tmp_path / "camera.tif", *images, kinds=kinds)
    assert same_picture(tmp_path / "camera.tif", EIGHT, 0)


def test_several_pages_are_no_photograph(tmp_path):
    pages(tmp_path / "scans.tif", EIGHT, EIGHT[::-1].copy(), kinds=[0, 0])
    with pytest.raises(InputError, match="animated, or of several pages"):
        read_image(tmp_path / "scans.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_every_orientation_is_turned_back(orientation, ending, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    # What a camera held that way writes of the scene.
    ways = {
        1: EIGHT,
        2: EIGHT[:, ::-1],
        3: EIGHT[::-1, ::-1],
        4: EIGHT[::-1],
        5: EIGHT.transpose(1, 0, 2),
        6: EIGHT.transpose(1, 0, 2)[::-1],
        7: EIGHT[::-1, ::-1].transpose(1, 0, 2),
        8: EIGHT.transpose(1, 0, 2)[:, ::-1],
    }
    path = tmp_path / f"turned.{ending}"
    Image.fromarray(np.ascontiguousarray(ways[orientation])).save(path, exif=exif, quality=95)
    assert same_picture(path, EIGHT)


def test_a_damaged_exif_loses_no_photograph(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(EIGHT).save(buffer, "JPEG", quality=95, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    (tmp_path / "e.jpg").write_bytes(buffer.getvalue())
    assert same_picture(tmp_path / "e.jpg", EIGHT)


def swapped_profile():
    """Profile of a space whose red is blue and whose blue is red, from that of sRGB."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    content = content.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    # Its name in UTF-16, as ICC has it.
    return bytes(content.replace("sRGB".encode("utf-16-be"), "odd!".encode("utf-16-be")))


def test_colours_are_those_of_the_profile(tmp_path):
    path = tmp_path / "p.png"
    Image.fromarray(EIGHT[:, :, ::-1].copy()).save(path, icc_profile=swapped_profile())
    assert same_picture(path, EIGHT, 3)


@pytest.mark.parametrize("profile", [b"", b"no profile", swapped_profile()[:200]])
def test_a_damaged_profile_loses_no_photograph(profile, tmp_path):
    Image.fromarray(EIGHT).save(tmp_path / "p.png", icc_profile=profile)
    assert same_picture(tmp_path / "p.png", EIGHT, 0)


def test_a_profile_of_other_colours_than_the_image_has_says_nothing(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "p.png", icc_profile=swapped_profile())
    assert same_picture(tmp_path / "p.png", three(GREY), 0)


def test_cmyk_of_a_printer_is_no_negative(tmp_path):
    Image.fromarray(EIGHT).convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    assert same_picture(tmp_path / "print.jpg", EIGHT, 4)


@pytest.mark.parametrize("maximum", [255, 4095])
def test_a_portable_pixmap_says_itself_how_deep_it_is(maximum, tmp_path):
    deep = (SCENE * maximum).round()
    content = deep.astype(np.uint8 if maximum < 256 else ">u2").tobytes()
    (tmp_path / "p.ppm").write_bytes(b"P6 48 40 %d\n" % maximum + content)
    assert same_picture(tmp_path / "p.ppm", EIGHT, 1)


def test_avif_is_read(tmp_path):
    Image.fromarray(EIGHT).save(tmp_path / "a.avif", quality=95)
    assert same_picture(tmp_path / "a.avif", EIGHT, 4)


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n",
        b"%PDF-1.4\n",
        b"\0\0\2\0" + bytes(14) + b"\1\0\1\0\x18\0" + bytes(3),
    ],
)
def test_what_is_no_photograph_inside_is_not_opened_by_its_name(content, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(InputError, match="no readable image"):
        read_image(tmp_path / "photo.jpg")


def test_a_png_that_unpacks_to_gigabytes_is_refused_before(tmp_path):
    header = b"\x08\x02\0\0\0"
    chunk = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + header
    content = b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    content += b"\0\0\0\0IDAT" + zlib.crc32(b"IDAT").to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(content)
    with pytest.raises(InputError, match=r"too many|decompression bomb|3600000000"):
        read_image(tmp_path / "bomb.png")
