"""The channel of the standard deviation over a batch."""

import pytest
import torch

from probgen.nn.adversarial import MinibatchDeviation


@pytest.mark.parametrize(("count", "size"), [(8, 4), (6, 3), (5, 1), (2, 2), (1, 1), (4, 4)])
def test_groups(count, size):
    """The largest divisor that fits; each group its own deviation."""
    torch.manual_seed(0)
    x = torch.randn(count, 2, 3, 3, dtype=torch.float64)
    y = MinibatchDeviation(4)(x)
    assert torch.equal(y[:, :2], x)
    expected = [(part.var(0, correction=0) + 1e-8).sqrt().mean() for part in x.split(size)] if size > 1 else [1e-4] * count
    torch.testing.assert_close(y[:, 2, 1, 1], torch.tensor([float(v) for v in expected]).double().repeat_interleave(size))


def test_it_tells_copies_from_variety():
    x = torch.randn(4, 2, 3, 3)
    layer = MinibatchDeviation()
    assert layer(x[:1].expand(4, -1, -1, -1))[:, 2].max() < 1e-3 < layer(x)[:, 2].min()


def test_gradients_are_finite_where_nothing_differs():
    x = torch.ones(4, 1, 2, 2, requires_grad=True)
    MinibatchDeviation()(x).sum().backward()
    assert x.grad.isfinite().all()
    with pytest.raises(ValueError, match="`group` must be positive; got 0"):
        MinibatchDeviation(0)
