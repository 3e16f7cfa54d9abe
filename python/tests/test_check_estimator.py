"""scikit-learn's own checks, of its current and its two previous releases."""

import pytest

import aefeat

pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([aefeat.Autoencoder()])
def test_check_estimator(estimator, check):
    check(estimator)
