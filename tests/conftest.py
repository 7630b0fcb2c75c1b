import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.model import Model
from sensitivenets.projection import Projection


@pytest.fixture
def table():
    """Twelve unit rows of four features: six subjects with two rows each, one unlabelled gender."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((12, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    columns = pa.table({
        "subject": [f"s{k // 2}" for k in range(12)],
        "gender": [None, *["Female", "Male"] * 5, "Female"],
        "age": pa.array(range(20, 32), pa.int32()),
    })
    return EmbeddingTable(vectors, columns, "small.parquet")


@pytest.fixture
def model():
    """A small fitted model with everything a model folder records."""
    rng = np.random.default_rng(1)
    return Model(
        map=Projection(
            rng.standard_normal((4, 3)).astype(np.float32),
            rng.standard_normal(3).astype(np.float32),
        ),
        method="SensitiveNet",
        parameters={"n_layers": 3, "margin": 0.2, "loss": "triplet", "random_state": None},
        removed={"gender": ("Female", "Male"), "ethnicity": ("Group 1", "Group 2", "Group 3")},
        fingerprint={"X": {"rows": 12, "features": 4, "sha256": "ab" * 32}},
        curve=({"epoch": 0, "loss": 0.5}, {"epoch": 1, "loss": 0.25}),
    )
