"""One batch axis in the precision of a network, and back."""

from __future__ import annotations

import pytest
import torch

from probgen.distributions.bijectors import Bijector, ContinuousFlow, Residual
from probgen.distributions.bijectors._rows import as_rows, from_rows


class Half(torch.nn.Module):
    """x -> x / 2 with a parameter, of whatever comes (in its own dtype only, as networks are)."""

    lipschitz = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.linear.weight.copy_(0.5 * torch.eye(2))

    def forward(self, *arguments):
        return self.linear(arguments[-1])


def test_rows_go_there_and_back():
    network = torch.nn.Linear(2, 2)
    value, context = torch.randn(5, 1, 2, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    rows, seen, batch = as_rows(value, context, (2,), (4,), network)
    assert rows.dtype == seen.dtype == torch.float32
    assert (rows.shape, seen.shape, batch) == ((15, 2), (15, 4), (5, 3))
    back = from_rows(rows, batch, (2,), value)
    assert back.dtype == torch.float64
    assert torch.equal(back, value.expand(5, 3, 2).float().double())


def test_a_scalar_without_a_batch_is_a_row():
    rows, context, batch = as_rows(torch.tensor(3.0), None, (), None, torch.sin)
    assert (rows.tolist(), context, batch) == ([3.0], None, ())
    assert from_rows(rows, batch, (), torch.tensor(0.0, dtype=torch.float64)).shape == ()


def test_a_function_without_parameters_sees_the_data_as_they_are():
    rows, _, _ = as_rows(torch.zeros(3, 2, dtype=torch.float64), None, (2,), None, torch.sin)
    assert rows.dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bijector", [ContinuousFlow(Half(), (2,), steps=4, solver="rk4"), Residual(Half(), (2,))], ids=repr)
def test_data_of_any_precision_meet_a_network_in_single(bijector: Bijector, dtype: torch.dtype):
    x = torch.randn(3, 2, generator=torch.Generator().manual_seed(0)).to(dtype)
    with torch.no_grad():
        y, log_det = bijector.forward_and_log_det(x)
        back, _ = bijector.inverse_and_log_det(y)
        expected, _ = bijector.forward_and_log_det(x.float())
    assert y.dtype == log_det.dtype == back.dtype == dtype
    tolerance = max(1e-5, 4 * torch.finfo(dtype).eps)
    torch.testing.assert_close(y.float(), expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(back.float(), x.float(), rtol=tolerance, atol=tolerance)
