import pytest
import torch

from probgen.distributions.bijectors import LeakyReLU


def test_matches_torch():
    x = torch.linspace(-3, 3, 12)
    torch.testing.assert_close(LeakyReLU(0.2)(x), torch.nn.functional.leaky_relu(x, 0.2))


def test_learned_slope_starts_at_the_identity():
    x = torch.randn(5, 3)
    y, log_det = LeakyReLU(None, shape=(3,)).forward_and_log_det(x)
    assert torch.equal(y, x)
    assert (log_det == 0).all()


def test_far_inputs_keep_their_relative_accuracy():
    x = torch.tensor([-1e30, 1e30])
    torch.testing.assert_close(LeakyReLU(0.01).inverse(LeakyReLU(0.01)(x)), x)


def test_slope_must_be_positive():
    with pytest.raises(ValueError, match=r"`slope` must satisfy .*got -1"):
        LeakyReLU(-1.0)
