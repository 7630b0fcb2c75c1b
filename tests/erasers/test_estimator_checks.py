"""scikit-learn's own contract for estimators."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sensitivenets.sensitivenet.estimator import SensitiveNet

# Unit rows are at most 2 apart, so a margin of 5 makes every triplet of the tiny data sets valid.
SMALL = SensitiveNet(
    margin=5.0,
    n_layers=2,
    n_units=8,
    n_epochs=1,
    batch_size=64,
    n_triplets=200,
    random_state=0,
)


def expected_failures(estimator):
    del estimator
    return {"check_estimators_dtypes": "casts its data to integers, where a row becomes zero"}


@pytest.mark.filterwarnings("ignore::sensitivenets.errors.DetectorWarning")
@parametrize_with_checks([SMALL], expected_failed_checks=expected_failures)
def test_scikit_learn_contract(estimator, check):
    check(estimator)
