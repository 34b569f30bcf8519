"""Causal convolutions: the sum over taps by hand, nothing from the right, rings that are steps, repeated positions."""

import pytest
import torch

from probgen.nn.causal import CausalConv1d, Stream, column_at


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (2, 1), (2, 4), (3, 2)])
def test_the_output_is_the_sum_over_taps(kernel, dilation):
    torch.manual_seed(0)
    layer, x = CausalConv1d(3, 2, kernel, dilation).double(), torch.randn(4, 3, 11).double()
    expected = torch.zeros(4, 2, 11).double() + layer.bias[:, None]
    for t in range(11):
        for j in range(kernel):
            source = t - (kernel - 1 - j) * dilation
            if source >= 0:
                expected[..., t] += x[..., source] @ layer.weight[..., j].T
    torch.testing.assert_close(layer(x), expected)
    assert layer.reach == (kernel - 1) * dilation


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (2, 1), (2, 4), (3, 2)])
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("repeats", [1, 2])
def test_columns_one_after_another_are_the_parallel_pass(kernel, dilation, in_place, repeats):
    torch.manual_seed(0)
    layer, x = CausalConv1d(3, 2, kernel, dilation).double(), torch.randn(4, 3, 20).double()
    memory, found = None, []
    with torch.set_grad_enabled(not in_place):
        for position in range(20):
            for _ in range(repeats):
                stream = Stream(position, memory, in_place=in_place)
                column, memory = layer(x[..., position], stream), stream.memory
            found.append(column)
        torch.testing.assert_close(torch.stack(found, -1), layer(x))


def test_the_output_sees_its_own_position_and_nothing_later():
    torch.manual_seed(0)
    layer, x = CausalConv1d(1, 1, 2, 3).double(), torch.randn(9).double()
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x[None, None]).flatten(), x)
    seen = jacobian != 0
    expected = torch.zeros(9, 9, dtype=torch.bool)
    expected[torch.arange(9), torch.arange(9)] = True
    expected[torch.arange(3, 9), torch.arange(6)] = True
    assert torch.equal(seen, expected)


def test_a_column_is_found_by_number_and_by_tensor():
    table = torch.arange(24.0).reshape(2, 3, 4)
    assert torch.equal(column_at(table, 2, 1), table[:, 2])
    assert torch.equal(column_at(table, torch.tensor(2), 1), table[:, 2])


def test_sizes_are_positive():
    with pytest.raises(ValueError, match="must be positive; got 1, 1, 2 and 0"):
        CausalConv1d(1, 1, 2, 0)
