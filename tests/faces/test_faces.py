import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper
from PIL import Image

from sensitivenets.embeddings import read_table
from sensitivenets.engines import InProcess
from sensitivenets.engines.processes import Processes
from sensitivenets.errors import InputError
from sensitivenets.faces import pipeline
from sensitivenets.faces.alignment import TEMPLATE, align, cut_box, similarity
from sensitivenets.faces.detector import Face, FaceDetector, choose
from sensitivenets.faces.embedder import EmbeddingPlan
from sensitivenets.faces.images import read_image
from sensitivenets.faces.network import PRESETS, Description, FaceNetwork, read_description
from sensitivenets.verification import verify
from sensitivenets.verification.drawn_pairs import draw_pairs

RNG = np.random.default_rng(0)
real = pytest.mark.skipif(
    "SENSITIVENETS_DATA" not in os.environ, reason="needs SENSITIVENETS_DATA, the real data"
)


@pytest.fixture
def seeing(tmp_path):
    """Make a network whose embedding is what reaches its input, pixel by pixel."""

    def make(side, n="n"):
        graph = helper.make_graph(
            [helper.make_node("Flatten", ["data"], ["embedding"], axis=1)],
            "seeing",
            [helper.make_tensor_value_info("data", TensorProto.FLOAT, [n, 3, side, side])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [n, "d"])],
        )
        opset = [helper.make_opsetid("", 13)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "n.onnx")
        return tmp_path / "n.onnx"

    return make


@pytest.fixture
def photos(tmp_path):
    """Ten drawn squares of two subjects, each of one colour, as crops."""
    colours = RNG.integers(20, 255, (10, 3), dtype=np.uint8)
    for k, colour in enumerate(colours):
        path = tmp_path / "photos" / f"s{k % 2}" / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 20, 3), colour)).save(path)
    return tmp_path / "photos"


def test_a_similarity_is_found_again():
    angle, scale = 0.3, 1.7
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = TEMPLATE @ turn.T + [5, -3]
    found = similarity(TEMPLATE, moved)
    np.testing.assert_allclose(found, np.column_stack([turn, [5, -3]]), atol=1e-9)


def test_a_similarity_never_mirrors():
    assert np.linalg.det(similarity(TEMPLATE * [-1, 1], TEMPLATE)[:, :2]) > 0


def test_aligned_landmarks_lie_on_the_template():
    landmarks = TEMPLATE * 1.5 + [40, 20]
    image = np.zeros((250, 250, 3), dtype=np.uint8)
    for x, y in landmarks.round().astype(int):
        image[y - 1 : y + 2, x - 1 : x + 2] = 255
    crop = align(image, landmarks, 112)
    for x, y in TEMPLATE.round().astype(int):
        assert crop[y - 2 : y + 3, x - 2 : x + 3].max() > 150
    assert (crop > 100).mean() < 0.01


def test_a_box_is_cut_around_its_middle_with_more_of_the_head():
    across = np.arange(200, dtype=np.uint8)
    image = np.stack(np.broadcast_arrays(across, across[:, None], np.uint8(0)), axis=2)
    crop = cut_box(image, (60, 30, 80, 100), 224).astype(float)
    # 80 pixels extended by 0.3, of which 224 / 256 are seen: 91, from 54.5 to 145.5 and so on.
    np.testing.assert_allclose(crop[0, [0, -1], 0], [54.5, 145.5], atol=1)
    np.testing.assert_allclose(crop[[0, -1], 0, 1], [34.5, 125.5], atol=1)
    # At the edge of a photograph it is black, not moved.
    assert (cut_box(image + np.uint8(1), (-40, 30, 80, 100), 224)[:, :100] == 0).all()


def test_the_large_and_central_face_is_chosen():
    image = np.zeros((100, 200, 3), dtype=np.uint8)
    aside = Face((0, 0, 40, 40), TEMPLATE, 0.99)
    middle = Face((85, 35, 35, 35), TEMPLATE, 0.7)
    tiny = Face((99, 49, 4, 4), TEMPLATE, 0.9)
    assert choose([aside, middle, tiny], image) is middle


class Sighted(FaceDetector):
    """Finds the faces that are at least ten pixels wide in the picture it looks at."""

    def __init__(self, *faces):
        self.faces, self.looks = faces, []

    def _find(self, image, longest_side):
        self.looks.append(longest_side)
        shrink = min(1.0, longest_side / max(image.shape[:2]))
        return [face for face in self.faces if face.box[2] * shrink >= 10]


@pytest.mark.parametrize(
    ("boxes", "looks"),
    [
        ([(300, 200, 400, 500)], [320]),  # large: the small picture shows it
        ([(480, 470, 25, 30)], [320, 640]),  # hidden in the small picture
        ([(460, 460, 80, 90)], [320, 640]),  # shown there, in few pixels
        ([(0, 0, 300, 360), (490, 490, 25, 30)], [320, 640]),  # large, and far aside
        ([], [320, 640]),
    ],
)
def test_a_glance_finds_the_face_that_a_whole_look_would_choose(boxes, looks):
    image = np.zeros((1000, 1000, 3), dtype=np.uint8)
    faces = [Face(box, TEMPLATE, 0.9) for box in boxes]
    sighted = Sighted(*faces)
    found = sighted.main_face(image)
    assert sighted.looks == looks
    assert found is (choose(faces, image) if faces else None)


def test_a_small_photograph_is_looked_at_once_as_it_is():
    sighted = Sighted(Face((30, 20, 60, 80), TEMPLATE, 0.9))
    assert sighted.main_face(np.zeros((320, 120, 3), dtype=np.uint8)) is sighted.faces[0]
    assert sighted.looks == [640]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_every_mode_becomes_rgb(mode, tmp_path):
    grey = Image.fromarray(np.full((6, 4), 200, dtype=np.uint8))
    path = tmp_path / f"image.{'tif' if mode in {'CMYK', 'F'} else 'png'}"
    if mode == "I;16":
        Image.fromarray(np.full((6, 4), 200 * 257, dtype=np.uint16)).save(path)
    elif mode == "F":
        Image.fromarray(np.full((6, 4), 200 / 255, dtype=np.float32)).save(path)
    else:
        grey.convert("RGB").convert(mode).save(path)
    read = read_image(path)
    assert (read.shape, read.dtype) == ((6, 4, 3), np.uint8)
    # A palette has few colours.
    assert abs(int(read[3, 2, 0]) - 200) <= (5 if mode == "P" else 0)


def test_photographs_are_turned_as_their_exif_says(tmp_path):
    image = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    assert read_image(tmp_path / "turned.png").shape == (6, 4, 3)


def broken(folder):
    noise = Image.fromarray(RNG.integers(0, 255, (60, 60, 3), dtype=np.uint8))
    noise.save(folder / "cut.jpg")
    content = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    (folder / "text.png").write_text("no image")
    (folder / "empty.png").touch()
    noise.save(folder / "moving.gif", save_all=True, append_images=[noise.rotate(90)])
    Image.new("1", (11_000, 11_000)).save(folder / "huge.png")


def test_broken_files_are_named_and_lose_nothing(run, photos, means, tmp_path):
    broken(photos)
    network = tmp_path / "network.json"
    network.write_text(json.dumps({"side": 8}))
    out = tmp_path / "table.parquet"
    code, printed, _ = run(
        "embed", photos, "--aligned", "--model", means, "--network", network, "--out", out, "--json"
    )
    assert code == 0
    result = json.loads(printed)
    assert result["rows"] == 10
    assert set(result["skipped"]) == {"cut.jpg", "empty.png", "huge.png", "moving.gif", "text.png"}
    assert "animated" in result["skipped"]["moving.gif"]
    assert (
        "121000000" in result["skipped"]["huge.png"] or "too many" in result["skipped"]["huge.png"]
    )
    table = read_table(out)
    assert sorted(set(table.column("subject").to_pylist())) == ["s0", "s1"]
    for name, vector in zip(table.column("image").to_pylist(), table.vectors, strict=True):
        colour = read_image(photos / name)[0, 0].astype(float)
        np.testing.assert_allclose(vector, colour / np.linalg.norm(colour), atol=1e-5)
    assert not list(tmp_path.glob("*.parts"))


@pytest.mark.parametrize(
    "engine", [InProcess(2), pytest.param(Processes(2), marks=pytest.mark.slow)], ids=repr
)
def test_an_engine_makes_the_same_parts(photos, means, tmp_path, monkeypatch, engine):
    monkeypatch.setattr(pipeline, "PART", 5)
    monkeypatch.chdir(photos.parent)
    here = Path(photos.name)
    images = sorted(here.rglob("*.png"))
    plan, network = EmbeddingPlan(here, None), FaceNetwork(means, Description(side=8))
    expected, _ = pipeline.embed(images, plan, network, tmp_path / "one")
    begun = pipeline.embed(images[:5], plan, network, tmp_path / "other")[0]
    found, skipped = pipeline.embed(images, plan, network, tmp_path / "other", engine=engine)
    assert (found[:1], skipped) == (begun, [])
    for one, other in zip(expected, found, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_parts_that_are_there_are_not_made_again(photos, means, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "PART", 4)
    images = sorted(photos.rglob("*.png"))
    plan, network = EmbeddingPlan(photos, None), FaceNetwork(means, Description(side=8))
    first, _ = pipeline.embed(images, plan, network, tmp_path / "parts")
    stamps = [path.stat().st_mtime_ns for path in first]
    first[1].unlink()
    second, _ = pipeline.embed(images, plan, network, tmp_path / "parts")
    assert second == first
    kept = [a == b.stat().st_mtime_ns for a, b in zip(stamps, second, strict=True)]
    assert kept == [True, False, True]
    assert pipeline.join(second, tmp_path / "all.parquet", {}) == 10
    other = FaceNetwork(means, Description(side=8, scale=2.0))
    assert pipeline.embed(images, plan, other, tmp_path / "parts")[0] != first
    hashed = EmbeddingPlan(photos, None, hash_names=True)
    assert pipeline.embed(images, hashed, network, tmp_path / "parts")[0] != first


def foreign(path):
    pq.write_table(pa.table({"x": [1]}), path)


def flipped(path):
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [foreign, flipped, lambda p: p.write_bytes(b""), lambda p: p.write_bytes(p.read_bytes()[:90])],
    ids=["foreign", "flipped", "empty", "truncated"],
)
def test_a_part_that_is_not_as_it_was_written_is_made_again(
    damage, photos, means, tmp_path, monkeypatch
):
    monkeypatch.setattr(pipeline, "PART", 4)
    images = sorted(photos.rglob("*.png"))
    plan, network = EmbeddingPlan(photos, None), FaceNetwork(means, Description(side=8))
    parts, _ = pipeline.embed(images, plan, network, tmp_path / "parts")
    before = [pq.read_table(path) for path in parts]
    damage(parts[1])
    assert pipeline.embed(images, plan, network, tmp_path / "parts")[0] == parts
    assert [pq.read_table(path) for path in parts] == before


def test_a_flip_in_the_table_or_in_a_part_is_found(photos, means, tmp_path):
    images = sorted(photos.rglob("*.png"))
    plan, network = EmbeddingPlan(photos, None), FaceNetwork(means, Description(side=8))
    parts, _ = pipeline.embed(images, plan, network, tmp_path / "parts")
    pipeline.join(parts, tmp_path / "t.parquet", {"network_sha256": "ab"})
    whole, expected = (tmp_path / "t.parquet").read_bytes(), read_table(tmp_path / "t.parquet")
    for place in RNG.integers(0, 8 * len(whole), 300):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << (place % 8)
        (tmp_path / "t.parquet").write_bytes(damaged)
        try:
            found = read_table(tmp_path / "t.parquet")
        except InputError:
            continue
        np.testing.assert_array_equal(found.vectors, expected.vectors)
        assert found.columns == expected.columns


def test_what_somebody_else_put_among_the_parts_stays(photos, means, tmp_path):
    images = sorted(photos.rglob("*.png"))
    plan, network = EmbeddingPlan(photos, None), FaceNetwork(means, Description(side=8))
    pipeline.embed(images, plan, network, tmp_path / "parts")
    (tmp_path / "parts" / "notes.txt").write_text("mine")
    pipeline.remove_parts(tmp_path / "parts")
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["notes.txt"]


def test_progress_counts_every_photograph_and_what_was_there_before(
    photos, means, tmp_path, monkeypatch
):
    monkeypatch.setattr(pipeline, "PART", 4)
    images = sorted(photos.rglob("*.png"))
    plan, network = EmbeddingPlan(photos, None), FaceNetwork(means, Description(side=8))
    told = []
    made, _ = pipeline.embed(
        images, plan, network, tmp_path / "parts", lambda *step: told.append(step)
    )
    assert told == [(k, 10, "photographs") for k in range(1, 11)]
    made[1].unlink()
    told.clear()
    pipeline.embed(images, plan, network, tmp_path / "parts", lambda *step: told.append(step))
    assert told == [(k, 10, "photographs") for k in range(5, 9)]


def test_names_may_be_hashes_and_subjects_stay(run, photos, means, tmp_path):
    (tmp_path / "n.json").write_text(json.dumps({"side": 8}))
    out = tmp_path / "t.parquet"
    options = ("--aligned", "--model", means, "--network", tmp_path / "n.json", "--hash-names")
    assert run("embed", photos, *options, "--out", out)[0] == 0
    table = read_table(out)
    images = sorted(photos.rglob("*.png"))
    expected = [hashlib.sha256(path.read_bytes()).hexdigest() for path in images]
    assert table.column("image").to_pylist() == expected
    assert table.column("subject").to_pylist() == [path.parent.name for path in images]


def test_a_killed_run_goes_on(photos, means, tmp_path, wait_until):
    for k in range(3000):
        (photos / "s0" / f"more{k}.png").write_bytes((photos / "s0" / "0.png").read_bytes())
    (tmp_path / "n.json").write_text(json.dumps({"side": 8}))
    command = [
        *(sys.executable, "-c", "from sensitivenets.cli import main; raise SystemExit(main())"),
        *("embed", photos, "--aligned", "--model", means, "--network", tmp_path / "n.json"),
        *("--out", tmp_path / "t.parquet"),
    ]
    parts = tmp_path / "t.parquet.parts"
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: list(parts.glob("*.parquet")) or started.poll() is not None)
    started.send_signal(signal.SIGKILL)
    started.wait()
    if (tmp_path / "t.parquet").exists():
        pytest.skip("it was finished before it could be killed")
    left = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
    assert left
    assert subprocess.run(command, check=True, capture_output=True)
    assert pq.read_metadata(tmp_path / "t.parquet").num_rows == 3010


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"channels": "GBR"}, "channels: expected RGB or BGR, found 'GBR'"),
        ({"side": 0}, "side: expected an integer of at least 1; found 0"),
        ({"crop": "ear"}, "crop: expected landmarks or box, found 'ear'"),
        ({"sides": 3}, r"expected channels, .*; found \['sides'\]"),
        ([], "expected channels.*found list"),
        (5, "expected channels.*found int"),
        ({"side": 10**9}, "side: expected 4096 pixels at most"),
        ({"side": True}, "side: expected an integer"),
        ({"scale": 10**400}, "scale: expected a number"),
        ({"scale": 0}, "scale: expected a number that is not zero"),
        ({"scale": 1e-320}, "scale: expected a number that is not zero"),
        ({"scale": "2"}, "scale: expected a number"),
        ({"scale": float("nan")}, "scale: expected a number"),
        ({"mean": 5}, "mean: expected one of each of three channels, found 5"),
        ({"mean": "abc"}, "mean: expected one of each"),
        ({"mean": [1, 2, [3]]}, "mean: expected a number"),
        ({"mean": [1, 2, float("inf")]}, "mean: expected a number"),
        ({"channels": ["RGB"]}, "channels: expected RGB or BGR"),
        ({"output": 5}, "output: expected text, found 5"),
    ],
)
def test_descriptions_that_make_no_sense_are_refused(description, message, tmp_path):
    (tmp_path / "n.json").write_text(json.dumps(description))
    with pytest.raises(InputError, match=message):
        read_description(str(tmp_path / "n.json"))


def test_a_description_in_toml(tmp_path):
    (tmp_path / "n.toml").write_text(
        'side = 224\nchannels = "BGR"\nmean = [91.4953, 103.8827, 131.0912]'
    )
    read = read_description(str(tmp_path / "n.toml"))
    assert read.mean == PRESETS["vggface2_resnet50"].mean
    assert (read.side, read.channels) == (224, "BGR")


@pytest.mark.parametrize(
    ("preset", "side", "expected"),
    [
        # Pixels of colour (200, 100, 50); BGR in the network's order, less the mean of VGGFace2.
        ("plain", 112, (200, 100, 50)),
        ("arcface", 112, (72.5 / 127.5, -27.5 / 127.5, -77.5 / 127.5)),
        ("vggface2_resnet50", 224, (50 - 91.4953, 100 - 103.8827, 200 - 131.0912)),
    ],
)
def test_each_preset_gives_the_network_what_it_was_trained_on(
    run, seeing, preset, side, expected, tmp_path
):
    (tmp_path / "photos" / "anna").mkdir(parents=True)
    image = np.zeros((side, side, 3), dtype=np.uint8)
    image[:, : side // 2] = (200, 100, 50)
    Image.fromarray(image).save(tmp_path / "photos" / "anna" / "1.png")
    code, _, _ = run(
        *("embed", tmp_path / "photos", "--aligned", "--network", preset),
        *("--model", seeing(side), "--out", tmp_path / "t.parquet"),
    )
    assert code == 0
    row = read_table(tmp_path / "t.parquet").vectors[0].astype(np.float64)
    black = -np.array(PRESETS[preset].mean) / PRESETS[preset].scale
    planes = np.empty((3, side, side))
    planes[:, :, : side // 2] = np.array(expected)[:, None, None]
    planes[:, :, side // 2 :] = black[:, None, None]
    # Unit length: section 4.1 takes the l2-normalised embedding as x.
    np.testing.assert_allclose(row, planes.ravel() / np.linalg.norm(planes), atol=1e-7)


def test_a_network_that_is_no_detector_is_refused(run, photos, seeing, tmp_path):
    model, out = seeing(112), tmp_path / "t.parquet"
    code, _, err = run("embed", photos, "--detector", model, "--model", model, "--out", out)
    assert code == 2
    assert f"{model}: expected the ONNX file of YuNet; OpenCV: " in err
    assert not list(tmp_path.glob("t.parquet*"))


def test_a_network_that_takes_something_else_is_refused(seeing):
    message = "expected an input of shape n x 3 x 224 x 224, found n x 3 x 8 x 8; .*--network"
    with pytest.raises(InputError, match=message):
        FaceNetwork(seeing(8), PRESETS["vggface2_resnet50"])
    with pytest.raises(InputError, match="shape n x 3 x 8 x 8, found 4 x 3 x 8 x 8"):
        FaceNetwork(seeing(8, 4), Description(side=8))


def test_a_network_for_one_face_at_a_time_is_given_one_at_a_time(seeing):
    crops = list(RNG.integers(1, 255, (3, 8, 8, 3), dtype=np.uint8))
    expected = FaceNetwork(seeing(8), Description(side=8))(crops)
    np.testing.assert_array_equal(FaceNetwork(seeing(8, 1), Description(side=8))(crops), expected)


def test_a_network_with_another_checksum_is_refused(means):
    with pytest.raises(InputError, match="expected SHA-256 00, found "):
        FaceNetwork(means, Description(side=8), "00")


@real
def test_all_faces_of_a_photograph_or_the_one_it_is_of(tmp_path):
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    two = sorted((folder / "faces").rglob("*.jpg"))[:2]
    (tmp_path / "photos").mkdir()
    both = np.concatenate([read_image(path) for path in two], axis=1)
    Image.fromarray(both).save(tmp_path / "photos" / "both.png")
    network = FaceNetwork(folder / "models" / "mobilefacenet.onnx", PRESETS["plain"], n_threads=1)

    def embedded(photos, images, *, all_faces):
        plan = EmbeddingPlan(photos, folder / "models" / "yunet.onnx", all_faces=all_faces)
        parts, _ = pipeline.embed(images, plan, network, tmp_path / f"{len(images)}{all_faces}")
        return pq.read_table(parts[0])

    def vectors(table):
        return np.stack(table["embedding"].to_numpy())

    alone = vectors(embedded(folder / "faces", two, all_faces=False))
    side_by_side = [tmp_path / "photos" / "both.png"]
    found = embedded(tmp_path / "photos", side_by_side, all_faces=True)
    assert found["image"].to_pylist() == ["both.png"] * len(found)
    # Each is found again, whoever else is in the background.
    assert (vectors(found) @ alone.T).max(axis=0).min() > 0.9
    assert len(embedded(tmp_path / "photos", side_by_side, all_faces=False)) == 1


@real
def test_real_photographs_give_the_stored_embeddings(run, tmp_path):
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    models = folder / "models"
    out = tmp_path / "faces.parquet"
    code, printed, _ = run(
        *("embed", folder / "faces", "--detector", models / "yunet.onnx", "--json"),
        *("--model", models / "mobilefacenet.onnx", "--out", out, "--n-threads", "1"),
    )
    assert code == 0
    assert json.loads(printed)["rows"] == 346
    table, lfw = read_table(out), read_table(folder / "lfw.parquet")
    stored = dict(zip(lfw.column("image").to_pylist(), lfw.vectors, strict=True))
    names = [int(Path(name).stem) for name in table.column("image").to_pylist()]
    pairs = zip(table.vectors, (stored[name] for name in names), strict=True)
    cosines = [a @ b / np.linalg.norm(b) for a, b in pairs]
    assert np.mean(cosines) >= 0.90
    # All 830 genuine pairs, and as many others.
    drawn = draw_pairs(table.labels("subject"), 4000, 10)
    assert verify(table.vectors, drawn, n_bootstrap=0).accuracy.estimate.value >= 0.99
