"""Obfuscators, pixel classifiers, drawn faces and contact sheets."""

import numpy as np
import pytest

from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError
from sensitivenets.obfuscation.contact_sheet import contact_sheet
from sensitivenets.obfuscation.crops import Crops, aligned_crops
from sensitivenets.obfuscation.drawn_faces import drawn_faces

torch = pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")

from sensitivenets.obfuscation.classifiers import class_weights, shifted, train_classifier  # noqa: E402
from sensitivenets.obfuscation.networks import (  # noqa: E402
    ATTACKER,
    ENSEMBLE,
    Obfuscator,
    PixelClassifier,
    Reader,
    to_pixels,
    to_planes,
)

SMALL = Reader(width=6, kernel=3, side=28)


def small_faces(*arguments, **keywords):
    """Drawn faces of 32 x 32."""
    drawn = drawn_faces(*arguments, **keywords)
    resized = [cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA) for face in drawn.pixels]
    return np.stack(resized), drawn


def test_pixels_and_planes_are_each_others_inverse():
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    np.testing.assert_array_equal(to_pixels(to_planes(pixels)), pixels)


def test_an_obfuscator_changes_nothing_before_training():
    pixels, _ = small_faces(3, 2)
    np.testing.assert_array_equal(Obfuscator(4).eval().apply_to(pixels), pixels)


def test_no_pixel_changes_more_than_allowed():
    pixels, _ = small_faces(3, 2)
    obfuscator = Obfuscator(4, strength=0.1).eval()
    torch.nn.init.normal_(obfuscator.last.weight, std=9, generator=torch.Generator())
    change = obfuscator.apply_to(pixels).astype(int) - pixels
    assert 20 <= abs(change).max() <= np.ceil(0.1 * 255)


def test_faces_are_changed_the_same_alone_and_together():
    pixels, _ = small_faces(65, 2)
    obfuscator = Obfuscator(2).eval()
    torch.nn.init.normal_(obfuscator.last.weight, generator=torch.Generator())
    together = obfuscator.apply_to(pixels)
    assert together.shape == pixels.shape
    alone = obfuscator.apply_to(pixels[129:])
    assert abs(together[129:].astype(int) - alone).max() <= 1  # of rounding


def test_no_faces_give_no_faces():
    assert Obfuscator(2).eval().apply_to(np.zeros((0, 32, 32, 3), np.uint8)).shape[0] == 0


def test_a_side_that_cannot_be_halved_is_refused():
    with pytest.raises(InputError, match="a multiple of 16, found 20"):
        Obfuscator(2).apply_to(np.zeros((1, 20, 20, 3), np.uint8))


@pytest.mark.parametrize("reader", [*ENSEMBLE, ATTACKER])
def test_every_architecture_gives_log_probabilities(reader):
    scores = PixelClassifier(reader, 2).scores(drawn_faces(2, 1).pixels)
    np.testing.assert_allclose(np.exp(scores).sum(1), 1, rtol=1e-5)


def test_a_grey_reader_sees_no_colour():
    classifier = PixelClassifier(Reader(width=4, side=28, grey=True), 2)
    pixels, _ = small_faces(2, 1)
    turned = classifier.scores(np.ascontiguousarray(pixels[..., ::-1]))
    np.testing.assert_allclose(turned, classifier.scores(pixels), atol=1e-4)


def test_the_attacker_is_none_of_the_ensemble():
    assert ATTACKER not in ENSEMBLE


def test_a_classifier_finds_the_beards_of_people_it_has_not_seen():
    pixels, drawn = small_faces(90, 2)
    seen, unseen = np.arange(140), np.arange(140, 180)
    classifier = train_classifier(
        pixels[seen], drawn.beards.take(seen), SMALL, n_epochs=8, batch_size=16
    )
    found = classifier.scores(pixels[unseen]).argmax(1)
    assert np.mean(found == drawn.beards.codes[unseen]) > 0.8


def test_a_seed_decides_a_classifier():
    pixels, drawn = small_faces(4, 2)
    rows = [
        train_classifier(pixels, drawn.beards, SMALL, n_epochs=1, random_state=seed).scores(pixels)
        for seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert abs(rows[0] - rows[2]).max() > 1e-3


def test_unlabelled_faces_are_left_out():
    pixels, drawn = small_faces(4, 2)
    names = [drawn.beards.classes[code] for code in drawn.beards.codes]
    labels = encode("beard", [*names, None])
    more = np.concatenate([pixels, 255 - pixels[:1]])
    one = train_classifier(pixels, drawn.beards, SMALL, n_epochs=1, batch_size=8)
    two = train_classifier(more, labels, SMALL, n_epochs=1, batch_size=8)
    np.testing.assert_array_equal(one.scores(pixels), two.scores(pixels))


def test_classes_weigh_the_same():
    weights = class_weights(encode("beard", ["yes", "no", "no", "no", None]))
    np.testing.assert_allclose(weights * torch.tensor([3, 1]), [2, 2])


def test_a_shifted_batch_is_made_of_the_same_rows_and_columns():
    ramp = torch.arange(32.0).repeat(32, 1)[None, None]
    rng = np.random.default_rng(0)
    for _ in range(8):
        row = shifted(ramp, rng)[0, 0, 0]
        steps = row.diff().abs()
        assert ((steps == 1) | (steps == 0)).all()
        assert (steps == 0).sum() <= 4


def test_labels_must_be_one_a_face():
    pixels, drawn = small_faces(4, 2)
    with pytest.raises(InputError, match="one label for each of 7 faces, found 8"):
        train_classifier(pixels[:7], drawn.beards, SMALL)


def test_one_class_is_refused():
    pixels, drawn = small_faces(2, 2)
    with pytest.raises(InputError, match="beard"):
        train_classifier(pixels[:2], drawn.beards.take(np.arange(2)), SMALL)


@pytest.mark.parametrize("pixels", [np.zeros((2, 8, 9, 3), np.uint8), np.zeros((2, 8, 8, 3))])
def test_other_pixels_are_refused(pixels):
    with pytest.raises(InputError, match=r"pixels: expected uint8 of shape \(n, side, side, 3\)"):
        Crops(pixels, np.arange(2))


def test_crops_know_their_photographs():
    with pytest.raises(InputError, match="one row number for each of 2 faces, found 3"):
        Crops(np.zeros((2, 8, 8, 3), np.uint8), np.arange(3))


def test_a_missing_detector_is_named(tmp_path):
    with pytest.raises(InputError, match="expected the ONNX file of YuNet"):
        aligned_crops([], tmp_path / "yunet.onnx")


def test_drawn_people_keep_their_attribute():
    drawn = drawn_faces(6, 3, random_state=1)
    assert drawn.pixels.dtype == np.uint8
    for subject in range(6):
        mine = drawn.beards.codes[drawn.subjects.codes == subject]
        assert len(mine) == 3
        assert len(set(mine)) == 1
    assert drawn.beards.counts() == {"no": 9, "yes": 9}


def test_a_seed_decides_the_drawings():
    one, two, three = (drawn_faces(2, 2, random_state=seed).pixels for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert (one != three).any()


def test_a_contact_sheet_holds_faces_and_twice_their_change(tmp_path):
    before = np.full((2, 16, 16, 3), 100, np.uint8)
    after = before.copy()
    after[1, :, :, 0] += 10
    contact_sheet(before, after, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))[:, :, ::-1]
    assert sheet.shape == (3 * 16 + 2 * 4, 2 * 16 + 4, 3)
    assert sheet[8, 28].tolist() == [100, 100, 100]
    assert sheet[28, 28].tolist() == [110, 100, 100]
    assert sheet[48, 28].tolist() == [148, 128, 128]
    assert sheet[18, 8].tolist() == [255, 255, 255]


def test_a_contact_sheet_of_different_faces_is_refused(tmp_path):
    faces = np.zeros((2, 16, 16, 3), np.uint8)
    with pytest.raises(InputError, match="as many faces after as before"):
        contact_sheet(faces, faces[:1], tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
