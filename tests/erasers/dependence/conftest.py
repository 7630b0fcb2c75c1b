import numpy as np
import pytest


@pytest.fixture(scope="session")
def xor_rows():
    """Gender is the sign of a product, so nothing linear reads it; a task is in another feature."""
    X = np.random.default_rng(0).standard_normal((1200, 5)).astype(np.float32)
    X[:, :2] += 2 * np.sign(X[:, :2])
    X[:, 2] *= 3
    return X, X[:, 0] * X[:, 1] > 0, X[:, 2] > 0


@pytest.fixture(scope="session")
def noise():
    """Ninety rows of thirty people, a gender with nulls and a group, none of which is in them."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((90, 6)).astype(np.float32)
    gender = rng.choice(["f", "m"], 90).astype(object)
    gender[::7] = None
    return X, np.arange(90) // 3, {"gender": gender, "group": rng.integers(3, size=90)}
