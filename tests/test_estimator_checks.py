"""scikit-learn's own contract."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sensitivenets.sensitivenet import SensitiveNet

SMALL = SensitiveNet(
    n_layers=1, n_units=8, n_epochs=1, batch_size=64, n_triplets=200, random_state=0
)

@pytest.mark.filterwarnings("ignore::sensitivenets.errors.DetectorWarning")
@parametrize_with_checks([SMALL])
def test_scikit_learn_contract(estimator, check):
    check(estimator)
