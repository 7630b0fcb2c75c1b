"""What an obfuscator learns, and that a stop changes nothing."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError, ModelFolderError
from sensitivenets.obfuscation.drawn_faces import drawn_faces
from sensitivenets.obfuscation.settings import ObfuscationSettings

torch = pytest.importorskip("torch")

from sensitivenets.obfuscation.classifiers import train_classifier  # noqa: E402
from sensitivenets.obfuscation.networks import Obfuscator, PixelClassifier, Reader  # noqa: E402
from sensitivenets.obfuscation.obfuscator_folder import load_obfuscator, save_obfuscator  # noqa: E402
from sensitivenets.obfuscation.terms import Confusion, FaceBatch, Independence  # noqa: E402
from sensitivenets.obfuscation.training import Faces, Trained, train_obfuscator  # noqa: E402

QUICK = ObfuscationSettings(n_epochs=2, batch_size=8, width=4, matched_share=1.0)


class Matcher(torch.nn.Module):
    """A face network of two layers, fixed at random."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(0)
        for name, shape in (("first", (8, 3, 4, 4)), ("second", (16, 128))):
            values = torch.from_numpy(rng.normal(size=shape).astype(np.float32))
            self.register_buffer(name, values)

    def forward(self, images):
        features = torch.nn.functional.conv2d(images - 0.5, self.first, stride=8).relu()
        return torch.nn.functional.normalize(features.flatten(1) @ self.second.T, dim=1)


@pytest.fixture(scope="module")
def matcher():
    return Matcher()


@pytest.fixture(scope="module")
def faces(matcher):
    drawn = drawn_faces(60, 2)
    small = [cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA) for face in drawn.pixels]
    return make_faces(np.stack(small), drawn.beards, matcher)


def make_faces(pixels, labels, matcher):
    planes = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    return Faces(pixels, matcher(planes).numpy(), labels)


@pytest.fixture
def ensemble(faces):
    readers = (Reader(6, 3, 28), Reader(6, 5, 28, grey=True))
    return [
        train_classifier(faces.pixels, faces.labels, reader, n_epochs=8, batch_size=16)
        for reader in readers
    ]


def some(faces, n=16):
    rows = np.arange(n)
    return Faces(faces.pixels[rows], faces.embeddings[rows], faces.labels.take(rows))


def accuracy(classifier, pixels, labels):
    return float(np.mean(classifier.scores(pixels).argmax(1) == labels.codes))


def state(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


def test_classifiers_are_confounded_and_faces_still_match(faces, ensemble, matcher):
    before = [accuracy(c, faces.pixels, faces.labels) for c in ensemble]
    assert min(before) > 0.85
    settings = replace(QUICK, n_epochs=12, batch_size=16, width=8, learning_rate=5e-3)
    trained = train_obfuscator(faces, matcher, settings, ensemble=ensemble)
    changed = trained.obfuscator.apply_to(faces.pixels)
    after = [accuracy(c, changed, faces.labels) for c in ensemble]
    assert max(after) < 0.5  # flipped: they err more often than a coin
    embeddings = make_faces(changed, faces.labels, matcher).embeddings
    assert (embeddings * faces.embeddings).sum(1).mean() > 0.85
    assert trained.curve[-1]["loss"] < trained.curve[0]["loss"]


def test_independence_falls_where_it_is_asked_for(faces, matcher):
    settings = replace(
        QUICK,
        method="data_domain",
        n_epochs=8,
        batch_size=24,
        hiding_weight=10.0,
        matching_weight=0.1,
        reconstruction_weight=1.0,
    )
    trained = train_obfuscator(faces, matcher, settings)
    assert trained.curve[-1]["hiding"] < 0.7


@pytest.mark.parametrize(
    "settings",
    [QUICK, replace(QUICK, target="chance", adaptation=1e-3), replace(QUICK, method="data_domain")],
    ids=["fixed", "adaptive", "data domain"],
)
def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path, faces, matcher, settings):
    few = some(faces)

    def ensemble():
        return [PixelClassifier(Reader(4, 3, 28), 2, seed=1)]

    whole = train_obfuscator(few, matcher, settings, ensemble=ensemble())
    path = tmp_path / "obfuscator.checkpoint"

    class StoppedError(Exception):
        pass

    def stop(done, total, what):
        if done == total // 2 + 1:
            raise StoppedError

    with pytest.raises(StoppedError):
        train_obfuscator(
            few, matcher, settings, ensemble=ensemble(), checkpoint=path, progress=stop
        )
    done = []
    again = train_obfuscator(
        few,
        matcher,
        settings,
        ensemble=ensemble(),
        checkpoint=path,
        progress=lambda *step: done.append(step[0]),
    )
    assert done == [3, 4]  # two steps an epoch; the first epoch was done
    assert again.curve == whole.curve
    assert same(state(whole.obfuscator), state(again.obfuscator))


def test_a_checkpoint_of_other_settings_is_refused(tmp_path, faces, matcher):
    path, few = tmp_path / "obfuscator.checkpoint", some(faces)
    settings = replace(QUICK, method="data_domain", n_epochs=1)
    train_obfuscator(few, matcher, settings, checkpoint=path)
    with pytest.raises(InputError, match="a checkpoint of other settings; delete it"):
        train_obfuscator(few, matcher, replace(settings, random_state=1), checkpoint=path)


def test_a_damaged_checkpoint_is_refused(tmp_path, faces, matcher):
    path = tmp_path / "obfuscator.checkpoint"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="expected a checkpoint"):
        train_obfuscator(
            some(faces), matcher, replace(QUICK, method="data_domain"), checkpoint=path
        )


@pytest.mark.parametrize(("rate", "moves"), [(0.0, False), (1e-2, True)])
def test_classifiers_adapt_only_where_asked(faces, matcher, rate, moves):
    classifier = PixelClassifier(Reader(4, 3, 28), 2)
    before = state(classifier)
    settings = replace(QUICK, n_epochs=1, adaptation=rate)
    train_obfuscator(some(faces), matcher, settings, ensemble=[classifier])
    assert same(before, state(classifier)) is not moves


def test_there_must_be_someone_to_confound(faces, matcher):
    with pytest.raises(InputError, match="at least one classifier to confound"):
        train_obfuscator(faces, matcher, QUICK)


def constant_classifier(logits):
    """Says the same of every face."""
    classifier = PixelClassifier(Reader(4, 3, 28), 2)
    torch.nn.init.zeros_(classifier.head.weight)
    with torch.no_grad():
        classifier.head.bias.copy_(torch.tensor(logits).log())
    return classifier


@pytest.mark.parametrize(
    ("target", "expected"),
    [("flip", -np.log(0.2)), ("chance", -(np.log(0.8) + np.log(0.2)) / 2)],
)
def test_confusion_of_a_classifier_that_is_sure(target, expected):
    # It says class 1 with 0.8; both faces are of class 1.
    term = Confusion([constant_classifier([0.2, 0.8])], target, torch.ones(2))
    planes = torch.rand(2, 3, 32, 32, generator=torch.Generator())
    batch = FaceBatch(
        torch.arange(2), planes, planes, planes, planes, torch.ones(2, dtype=torch.int64)
    )
    assert term.loss(batch, np.random.default_rng(0)).item() == pytest.approx(expected, rel=1e-5)


def independence(changed):
    """Two classes at opposite ends, and what is left when all of them are changed."""
    codes = torch.tensor([0, 1] * 20)
    before = torch.nn.functional.one_hot(codes, 2).float()
    term = Independence(before, codes)
    batch = FaceBatch(torch.arange(40), before, before, before, changed(before), codes)
    return term, batch


def test_embeddings_as_they_were_are_as_dependent_as_they_were():
    term, batch = independence(lambda before: before)
    assert term.loss(batch, np.random.default_rng(0)).item() == pytest.approx(1, rel=1e-5)


def test_embeddings_all_alike_are_independent():
    term, batch = independence(torch.ones_like)
    assert term.loss(batch, np.random.default_rng(0)).item() == pytest.approx(0, abs=1e-6)


def test_embeddings_are_remembered():
    term, batch = independence(torch.ones_like)
    half = replace(batch, rows=batch.rows[:20], changed=batch.changed[:20])
    rest = replace(batch, rows=batch.rows[20:], changed=batch.changed[20:])
    rng = np.random.default_rng(0)
    assert term.loss(half, rng).item() > 0.1
    assert term.loss(rest, rng).item() == pytest.approx(0, abs=1e-6)


def test_faces_must_be_labelled(faces):
    labels = encode("beard", ["yes", None])
    with pytest.raises(InputError, match="two classes and a label on every row, found yes"):
        Faces(faces.pixels[:2], faces.embeddings[:2], labels)


def test_faces_must_be_as_many_as_labels(faces):
    with pytest.raises(InputError, match=r"as many embeddings and labels as faces, found \[3, 4\]"):
        Faces(faces.pixels[:4], faces.embeddings[:4], faces.labels.take(np.arange(3)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "magic"}, "method: expected one of 'semi_adversarial', 'data_domain'"),
        ({"target": "other"}, "target: expected one of 'flip', 'chance'"),
        ({"n_epochs": 0}, "n_epochs: expected an integer of at least 1; found 0"),
        ({"batch_size": 1}, "batch_size: expected an integer of at least 2"),
        ({"strength": 1.5}, "strength: expected a number above 0 and at most 1; found 1.5"),
        ({"matched_share": 0.0}, "matched_share: expected a number above 0"),
        ({"hiding_weight": -1.0}, "hiding_weight: expected a number at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        ObfuscationSettings(**changes)


def saved(folder):
    obfuscator = Obfuscator(QUICK.width, QUICK.strength, seed=5).eval()
    torch.nn.init.normal_(obfuscator.last.weight, generator=torch.Generator())
    save_obfuscator(folder, Trained(obfuscator, ({"loss": 1.0},)), QUICK, {"attribute": "beard"})
    return obfuscator


def test_an_obfuscator_comes_back_as_it_was(tmp_path, faces):
    obfuscator = saved(tmp_path / "made")
    back = load_obfuscator(tmp_path / "made")
    np.testing.assert_array_equal(
        back.apply_to(faces.pixels[:4]), obfuscator.apply_to(faces.pixels[:4])
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "model"}, "expected an obfuscator, found another model"),
        ({"format": 9}, "format 9; this version reads 1"),
        ({"settings": {"width": 5}}, "damaged obfuscator"),
        ({"settings": {"wideness": 5}}, "damaged obfuscator"),
    ],
)
def test_a_folder_that_was_changed_is_refused(tmp_path, change, message):
    saved(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelFolderError, match=message):
        load_obfuscator(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ModelFolderError, match=r"config\.json: expected an obfuscator's settings"):
        load_obfuscator(tmp_path / "none")
