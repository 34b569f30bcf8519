"""Least squares: the regression function is best, and the value is the triangular discrepancy."""

import pytest
import torch

from probgen.infer import LeastSquares
from tests.probgen.infer.divergences.line import LOG_RATIO, normal


@pytest.mark.parametrize("labels", [(-1.0, 1.0, 0.0), (0.0, 1.0, 1.0), (3.0, -1.0, 2.0)])
def test_best_output_is_the_regression_function(labels):
    a, b, _ = labels
    p, q = normal(0.0), normal(1.0)
    torch.testing.assert_close(LeastSquares(*labels).best_output(LOG_RATIO), (b * p + a * q) / (p + q))


def test_generator_with_the_paper_s_labels_minimizes_a_chi_square():
    divergence, p, q = LeastSquares(-1.0, 1.0, 0.0), normal(0.0), normal(1.0)
    terms = divergence.generator_term(divergence.best_output(LOG_RATIO))
    twice = 2 * float(((p + q) * terms).sum())  # the paper adds the same term of the data: no draw is changed by it
    assert twice == pytest.approx(0.4081085313, abs=1e-10)
    assert twice == pytest.approx(float(((p + q - 2 * q).square() / (p + q)).nan_to_num().sum()), abs=1e-10)


def test_ratio_beyond_the_labels_is_as_large_as_the_dtype_can_tell():
    shown = LeastSquares().log_ratio(torch.tensor([-3.0, 0.5, 7.0]))
    assert shown.isfinite().all()
    assert shown[0] < -10
    assert shown[1] == 0
    assert shown[2] > 10


def test_generator_pulls_to_its_label():
    fake = torch.tensor([2.0], requires_grad=True)
    assert torch.autograd.grad(LeastSquares(c=-1.0).generator_loss(fake), fake)[0] == 3


def test_one_label_for_both_is_refused():
    with pytest.raises(ValueError, match="`a` of draws and `b` of data must differ"):
        LeastSquares(1.0, 1.0)
