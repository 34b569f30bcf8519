"""The series of log det(I + J) against slogdet, its gradient weights against the inverse, the bound of what is cut off."""

import pytest
import torch

from probgen.distributions.numerics.log_det_series import log_det_series, truncation_bound
from probgen.distributions.numerics.random_truncation import RandomTruncation

SIZE = 4


def matrix_of_norm(norm, seed=0):
    matrix = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return norm * matrix / torch.linalg.matrix_norm(matrix, 2)


def basis():
    """Probes whose mean is the trace itself."""
    return 2.0 * torch.eye(SIZE, dtype=torch.float64).unsqueeze(1)


def test_value_is_slogdet_and_weights_are_the_inverse():
    jacobian = matrix_of_norm(0.6)
    value, weights = log_det_series(lambda v: v @ jacobian, basis(), 60)
    shifted = torch.eye(SIZE, dtype=torch.float64) + jacobian
    assert torch.allclose(value.mean(), torch.linalg.slogdet(shifted)[1], atol=1e-13)
    assert torch.allclose(weights[:, 0] / 2.0, torch.linalg.inv(shifted), atol=1e-13)  # row i: e_i^T (I + J)^-1


def test_random_numbers_of_terms_are_weighted_by_their_survival():
    jacobian, law = matrix_of_norm(0.6), RandomTruncation(1, "geometric", 0.5)
    numbers = torch.tensor([1, 3, 2, 4]).reshape(SIZE, 1)
    value, _ = log_det_series(lambda v: v @ jacobian, basis(), numbers, law)
    for i, number in enumerate(numbers.flatten().tolist()):
        powers = [torch.linalg.matrix_power(jacobian, k)[i, i] * 4.0 for k in range(1, number + 1)]
        expected = sum((-1) ** (k + 1) / k * power / law.survival(k) for k, power in enumerate(powers, 1))
        assert torch.allclose(value[i, 0], expected)


def test_no_samples_have_no_terms():
    value, weights = log_det_series(
        lambda v: v, torch.zeros(1, 0, SIZE), torch.zeros(1, 0, dtype=torch.int64), RandomTruncation()
    )
    assert value.shape == (1, 0)
    assert weights.shape == (1, 0, SIZE)


@pytest.mark.parametrize("norm", [0.3, 0.9])
@pytest.mark.parametrize("terms", [1, 5, 10])
def test_what_is_cut_off_is_bounded_and_the_bound_is_reached(norm, terms):
    for jacobian in (matrix_of_norm(norm), -norm * torch.eye(SIZE, dtype=torch.float64)):
        value, _ = log_det_series(lambda v, m=jacobian: v @ m, basis(), terms)
        missing = torch.linalg.slogdet(torch.eye(SIZE, dtype=torch.float64) + jacobian)[1] - value.mean()
        bound = truncation_bound(norm, SIZE, terms)
        assert abs(missing) <= bound * (1 + 1e-9)
    assert abs(missing) == pytest.approx(bound, rel=1e-9)  # J = -kappa I is the worst case


def test_a_map_that_is_no_contraction_has_no_bound():
    with pytest.raises(ValueError, match="`lipschitz` must be in"):
        truncation_bound(1.0, 2, 5)
