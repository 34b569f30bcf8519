import pytest
import torch

from probgen.distributions.numerics.clamping import clamp_open, clamp_value


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1.0), (-1.0, 1.0), (-1.0, None), (0.0, None)])
def test_clamp_open_gives_the_neighbors_of_the_ends(lower, upper, dtype):
    ends = [end for end in (lower, upper) if end is not None]
    inner = clamp_open(torch.tensor(ends, dtype=dtype), lower, upper)
    expected = torch.nextafter(torch.tensor(ends, dtype=dtype), torch.full((), 0.5, dtype=dtype))
    if lower == 0.0:
        expected[0] = torch.finfo(dtype).tiny
    assert torch.equal(inner, expected)


def test_clamp_value_keeps_derivatives_and_nan():
    x = torch.tensor([-2.0, 0.5, 2.0, torch.nan], requires_grad=True)
    y = clamp_value(x, -1.0, 1.0)
    assert torch.equal(y[:3], torch.tensor([-1.0, 0.5, 1.0]))
    assert y[3].isnan()
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.ones(4))


def test_values_far_outside_are_clamped_too():
    assert torch.equal(clamp_value(torch.tensor([3e8, -3e8]), 0.1, 0.3), torch.tensor([0.3, 0.1]))
    assert torch.equal(clamp_open(torch.tensor([-1e-3]), 0.0, 1.0), torch.tensor([torch.finfo(torch.float32).tiny]))
    assert torch.equal(clamp_open(torch.tensor([torch.inf]), 0.0, None), torch.tensor([torch.inf]))
