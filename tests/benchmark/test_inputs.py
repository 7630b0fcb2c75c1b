import dataclasses
import tempfile

import numpy as np
import pytest

from sensitivenets.audit import Split
from sensitivenets.benchmark.input_files import load_inputs, save_inputs
from sensitivenets.benchmark.inputs import Attacking, Verifying
from sensitivenets.embeddings import Labels
from sensitivenets.errors import InputError
from sensitivenets.verification import make_pairs


def changed(inputs, part, **fields):
    return dataclasses.replace(
        inputs, **{part: dataclasses.replace(getattr(inputs, part), **fields)}
    )


@pytest.fixture
def everything(inputs, rng):
    """Inputs with all that is optional."""
    sensitive = rng.standard_normal((12, 32)).astype(np.float32)
    gender = Labels("gender", np.array([0, 1, -1] * 4), ("Female", "Male"))
    inputs = changed(inputs, "fitting", X_sensitive=sensitive, attributes={"gender": gender})
    smiling = Labels("smiling", np.arange(len(inputs.fitting.X)) % 2, ("no", "yes"))
    inputs = changed(inputs, "fitting", task=smiling)
    pairs = {"view2": make_pairs([0, 1], [1, 2], [True, False], [0, 1], "p.parquet")}
    return changed(inputs, "verifying", pairs=pairs)


def test_what_processes_read_is_what_was_written(everything, tmp_path):
    save_inputs(everything, tmp_path / "inputs.npz")
    found = load_inputs(tmp_path / "inputs.npz")
    assert found.digest() == everything.digest()
    assert np.array_equal(found.fitting.X_sensitive, everything.fitting.X_sensitive)
    assert found.fitting.attributes["gender"].classes == ("Female", "Male")
    assert found.fitting.task.name == "smiling"
    assert np.array_equal(found.fitting.task.codes, everything.fitting.task.codes)
    assert found.attacking.split.groups.name == "subject"
    assert found.verifying.pairs["view2"].source == "p.parquet"


def test_what_is_left_out_stays_out(inputs, tmp_path):
    bare = changed(inputs, "fitting", target=None)
    split = inputs.attacking.split
    bare = changed(bare, "attacking", split=Split(split.train, split.test))
    with tempfile.TemporaryFile() as file:
        save_inputs(bare, file)
        file.seek(0)
        found = load_inputs(file)
    assert found.fitting.target is None
    assert found.fitting.X_sensitive is None
    assert found.fitting.task is None
    assert found.attacking.split.groups is None
    assert found.digest() == bare.digest() != inputs.digest()


def test_every_part_of_the_data_tells_in_the_digest(everything):
    gender = everything.attacking.attributes["gender"]
    flipped = Labels("gender", 1 - gender.codes, gender.classes)
    split = everything.attacking.split
    other = Split(split.train[1:], split.test, split.groups)
    pairs = {"view2": make_pairs([0, 1], [1, 2], [False, True], [0, 1])}
    task = everything.fitting.task
    variants = [
        changed(everything, "fitting", X=everything.fitting.X[::-1].copy()),
        changed(everything, "fitting", target=None),
        changed(everything, "fitting", task=None),
        changed(everything, "fitting", task=dataclasses.replace(task, codes=1 - task.codes)),
        changed(everything, "attacking", attributes={"gender": flipped}),
        changed(everything, "attacking", split=other),
        changed(everything, "verifying", pairs=pairs),
        changed(everything, "verifying", pairs={"view1": everything.verifying.pairs["view2"]}),
    ]
    assert len({one.digest() for one in [everything, *variants]}) == len(variants) + 1


def test_rows_that_methods_learned_from_are_not_attacked(inputs):
    X = inputs.attacking.X.copy()
    test = inputs.attacking.split.test
    X[test[:2]] = inputs.fitting.X[:2]
    with pytest.raises(InputError, match="3 % of the rows to attack are among the rows to fit on"):
        changed(inputs, "attacking", X=X)
    with pytest.raises(InputError, match="attack rows that no method has seen"):
        changed(inputs, "fitting", X_sensitive=inputs.attacking.X)


def test_what_does_not_fit_together_is_refused(inputs):
    with pytest.raises(InputError, match="expected embeddings of 32 features in the rows to veri"):
        dataclasses.replace(inputs, verifying=Verifying(np.ones((4, 3)), None, {}))
    with pytest.raises(InputError, match="leakage without utility says nothing; give pairs"):
        dataclasses.replace(inputs, verifying=Verifying(inputs.verifying.X))
    attacking = Attacking(inputs.attacking.X, {}, inputs.attacking.split)
    with pytest.raises(InputError, match="expected an attribute to remove and attack, found none"):
        dataclasses.replace(inputs, attacking=attacking)


def test_a_task_of_more_classes_than_features_is_refused(inputs):
    people = inputs.fitting.target
    assert len(people.classes) > 32
    message = "a task of few classes, at most one for each of 32 features, found 42 in subject"
    with pytest.raises(InputError, match=message):
        changed(inputs, "fitting", task=people)
