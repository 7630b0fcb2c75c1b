"""Codes of real faces; skipped where SENSITIVENETS_DATA does not name the folder of the data."""

import os
from pathlib import Path

import numpy as np
import pytest

from sensitivenets.audit.template_protection import measure_protection
from sensitivenets.codes import CodeKey, CodeParameters, encode_table
from sensitivenets.embeddings import read_table
from sensitivenets.verification import read_pairs, verify

DATA = os.environ.get("SENSITIVENETS_DATA")
pytestmark = pytest.mark.skipif(
    not DATA, reason="SENSITIVENETS_DATA is not set: no real faces to encode"
)


@pytest.fixture(scope="module")
def lfw():
    return read_table(Path(DATA) / "lfw.parquet")


@pytest.mark.parametrize(("n_bits", "accuracy"), [(512, 0.975), (1024, 0.982)])
def test_codes_recognise_nearly_as_well_as_the_embeddings(lfw, n_bits, accuracy):
    pairs = read_pairs(Path(DATA) / "lfw_pairs.parquet", protocol="view2")
    codes = encode_table(lfw, CodeKey.from_seed(11), CodeParameters(lfw.dim, n_bits, 1.5))
    assert verify(codes.as_embeddings(), pairs, n_bootstrap=2).accuracy.value > accuracy


def test_a_rotation_hides_who_is_who_from_comparisons_and_not_from_learners(lfw):
    parameters = CodeParameters(lfw.dim, 512, 1.5)
    subject = lfw.labels("subject")
    found = measure_protection(lfw, subject, parameters, n_known=(300,), n_bootstrap=20)
    d_sys = {(one.adversary, one.mated): one.unlinkability.d_sys.value for one in found.linkages}
    assert found.same_key.d_sys.value > 0.9
    assert np.all([d_sys["comparison", mated] < 0.1 for mated in ("other image", "same embedding")])
    assert d_sys["regression", "same embedding"] > 0.5
    assert found.revoked_accepted.value < 0.02
