"""Resampling: unbiased, within one of the expected number, every batch element by itself."""

import pytest
import torch

from probgen.distributions.numerics.resampling import effective_sample_size, log_mean_weight, systematic_ancestors


def test_children_are_the_expected_number_rounded():
    torch.manual_seed(0)
    log_weights = torch.randn(50, 7, dtype=torch.float64)
    ancestors = systematic_ancestors(log_weights)
    children = torch.nn.functional.one_hot(ancestors, 50).sum(0).mT
    expected = 50 * log_weights.softmax(0)
    assert (children >= expected.floor()).all()
    assert (children <= expected.ceil()).all()


def test_the_mean_number_of_children_is_the_weight():
    weights = torch.tensor([0.05, 0.6, 0.0, 0.35], dtype=torch.float64)
    uniform = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000  # all values: an expectation, not a draw
    ancestors = systematic_ancestors(weights.log().unsqueeze(-1).expand(4, 1000), uniform)
    mean = torch.nn.functional.one_hot(ancestors, 4).double().sum(0).mean(0)
    torch.testing.assert_close(mean, 4 * weights, atol=2e-3, rtol=0)


def test_elements_of_the_batch_do_not_meet():
    torch.manual_seed(0)
    log_weights, uniform = torch.randn(20, 3, 2, dtype=torch.float64), torch.rand(3, 2, dtype=torch.float64)
    together = systematic_ancestors(log_weights, uniform)
    for i in range(3):
        for j in range(2):
            assert torch.equal(together[:, i, j], systematic_ancestors(log_weights[:, i, j], uniform[i, j]))


def test_effective_sizes_of_known_weights():
    log_weights = torch.tensor([[0.0, 0.0], [0.0, -1e4], [0.0, -1e4]])
    torch.testing.assert_close(effective_sample_size(log_weights), torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(effective_sample_size(log_weights + 300.0), torch.tensor([3.0, 1.0]))


def test_the_log_of_a_mean_weight():
    assert float(log_mean_weight(torch.tensor([1.0, 3.0]).log()).exp()) == pytest.approx(2.0)


def test_a_parent_without_weight_has_no_child():
    """A point so near to one that it is rounded to one."""
    log_weights = torch.tensor([0.0] * 7 + [-torch.inf])
    ancestors = systematic_ancestors(log_weights, torch.tensor(1 - 2.0**-24))
    assert int(ancestors.max()) == 6


def test_runs_without_any_weight_pass_no_nan_to_gradients():
    log_weights = torch.tensor([[-torch.inf, 0.0], [-torch.inf, 1.0]], requires_grad=True)
    size = effective_sample_size(log_weights)
    assert size[0] == 0
    assert bool(torch.autograd.grad(size.sum(), log_weights)[0].isfinite().all())
