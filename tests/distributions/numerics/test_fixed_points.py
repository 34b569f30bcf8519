"""Anderson's acceleration: the root, the count of evaluations, rows that do not disturb each other."""

import pytest
import torch

from probgen.distributions.numerics.fixed_points import accelerated_fixed_point


def affine_contraction(size, rate, seed=0):
    """A map x -> A x + b with |A| = rate, and its fixed point."""
    generator = torch.Generator().manual_seed(seed)
    matrix, shift = (torch.randn(size, n, generator=generator, dtype=torch.float64) for n in (size, 1))
    matrix = rate * matrix / torch.linalg.matrix_norm(matrix, 2)
    root = torch.linalg.solve(torch.eye(size, dtype=torch.float64) - matrix, shift)[:, 0]
    return (lambda x: x @ matrix.T + shift[:, 0]), root


def test_an_affine_contraction_takes_as_many_steps_as_it_has_dimensions():
    function, root = affine_contraction(5, 0.99)
    found, residual = accelerated_fixed_point(function, torch.zeros(3, 5, dtype=torch.float64), evaluations=9)
    plain = torch.zeros(5, dtype=torch.float64)
    for _ in range(9):
        plain = function(plain)
    assert (found - root).abs().max() < 1e-8
    assert (plain - root).abs().max() > 1e-3
    assert residual.shape == (3,)


def test_function_is_called_as_often_as_declared():
    calls = []

    def function(x):
        calls.append(1)
        return torch.cos(x)

    accelerated_fixed_point(function, torch.zeros(2, 1), evaluations=7)
    assert len(calls) == 7


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_are_independent_and_exact_to_rounding(dtype):
    x, _ = accelerated_fixed_point(lambda x: 0.9 * torch.sin(x) + 1.0, torch.tensor([[0.0], [1e4]], dtype=dtype))
    alone, _ = accelerated_fixed_point(lambda x: 0.9 * torch.sin(x) + 1.0, torch.zeros(1, 1, dtype=dtype))
    assert torch.allclose(x[:1], alone, rtol=4 * torch.finfo(dtype).eps)
    assert (0.9 * torch.sin(x) + 1.0 - x).abs().max() < 16 * torch.finfo(dtype).eps


def test_nothing_at_all_and_a_row_that_is_not_finite():
    assert accelerated_fixed_point(torch.cos, torch.zeros(0, 2))[0].shape == (0, 2)
    assert accelerated_fixed_point(torch.cos, torch.zeros(2, 0))[1].shape == (2,)
    x, residual = accelerated_fixed_point(torch.cos, torch.tensor([[torch.inf], [0.0]]))
    assert not residual[0].isfinite()
    assert abs(float(x[1]) - 0.739085) < 1e-6


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="`evaluations` must be at least 2"):
        accelerated_fixed_point(torch.cos, torch.zeros(1, 1), evaluations=1)


def test_it_compiles_whole():
    function, root = affine_contraction(3, 0.5)
    solve = torch.compile(
        lambda start: accelerated_fixed_point(function, start, evaluations=8)[0], backend="aot_eager", fullgraph=True
    )
    assert (solve(torch.zeros(2, 3, dtype=torch.float64)) - root).abs().max() < 1e-8
