"""Deep sigmoidal maps: the paper's formula, the relation with mixtures of logistics, both tails."""

import pytest
import torch

from probgen.distributions.bijectors import DeepSigmoid, DenseSigmoid, MixtureOfLogisticsCDF


def moved(make, std, dtype):
    f = make().to(dtype)
    generator = torch.Generator().manual_seed(0)
    for parameter in f.parameters():
        parameter.data.normal_(0, std, generator=generator)
    return f


def test_a_layer_is_the_formula_of_the_paper():
    a, b, w = torch.tensor([[0.5, 3.0]]), torch.tensor([[1.0, -2.0]]), torch.tensor([[0.25, 0.75]])
    f = DeepSigmoid(2, 1, slopes=a, shifts=b, weights=w).double()
    x = torch.linspace(-4, 4, 9, dtype=torch.float64)
    mean = (w.double() * torch.sigmoid(a.double() * x[:, None] + b.double())).sum(-1)
    torch.testing.assert_close(f(x), 0.99 * torch.logit(mean) + 0.01 * x)


def test_one_layer_is_the_cdf_of_a_mixture_of_logistics_on_the_logit_scale():
    widths, locations, w = torch.tensor([0.5, 2.0]), torch.tensor([-1.0, 1.0]), torch.tensor([0.3, 0.7])
    f = DeepSigmoid(2, 1, slopes=1 / widths[None], shifts=(-locations / widths)[None], weights=w[None])
    g = MixtureOfLogisticsCDF(2, weights=w, locations=locations, widths=widths, loc=0.0, scale=1.0)
    x = torch.linspace(-9, 9, 19)
    difference = (f(x) - 0.01 * x) / 0.99 - (g(x) - 0.001 * x) / 0.999  # each without its floor
    assert difference.abs().max() < 1e-5


@pytest.mark.parametrize("make", [lambda: DeepSigmoid(8, 2, shape=(6,)), lambda: DenseSigmoid(4, 3, shape=(6,))])
@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
def test_inverts_at_every_scale_after_parameters_moved(make, scale):
    f = moved(make, 1.0, torch.float32)
    x = scale * torch.randn(200, 6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(f.inverse(f(x)), x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", [lambda: DeepSigmoid(6, 3, shape=(4,)), lambda: DenseSigmoid(3, 3, shape=(4,))])
def test_log_slope_is_autograd_s(make):
    """torchflows' deep and dense sigmoidal maps miss this by 85 to 27 000 nats."""
    f = moved(make, 2.0, torch.float64)
    x = (5 * torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))).requires_grad_()
    y, log_slope = f.forward_and_log_det(x)
    torch.testing.assert_close(log_slope, torch.autograd.grad(y.sum(), x)[0].log(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["units", "layers"])
def test_rejects_bad_arguments(name):
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1; got 0"):
        DeepSigmoid(**{name: 0})
    with pytest.raises(ValueError, match=f"`{name}` must be at least"):
        DenseSigmoid(**{name: 0})
