"""Draws by the inverse distribution function: exact frequencies, impossible values, rows without a law, transforms."""

import pytest
import torch

from probgen.distributions.numerics import categories
from probgen.distributions.numerics.categories import draw_categories
from probgen.distributions.testing.statistics import chi_square_test


def at(monkeypatch, logits, uniform):
    """What is drawn where the uniform number is this one."""
    monkeypatch.setattr(categories.torch, "rand_like", lambda like: torch.full_like(like, uniform))
    return draw_categories(logits)


def test_it_inverts_the_distribution_function(monkeypatch):
    """Every uniform number of a grid: the parts of [0, 1) that go to each value are the masses, to the spacing of the grid."""
    masses = torch.tensor([0.1, 0.0, 0.65, 0.05, 0.2], dtype=torch.float64)
    grid = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    monkeypatch.setattr(categories.torch, "rand_like", lambda like: grid.unsqueeze(-1))
    parts = torch.bincount(draw_categories(7.0 + masses.log().expand(4000, 5)), minlength=5) / 4000
    torch.testing.assert_close(parts.double(), masses, atol=1 / 4000, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_impossible_values_are_not_drawn_at_the_ends_of_the_interval(dtype, monkeypatch):
    """The largest number below one, times a total that is not one exactly."""
    torch.manual_seed(0)
    logits = torch.cat([torch.full((50, 1), -torch.inf), torch.randn(50, 300), torch.full((50, 3), -torch.inf)], 1).to(dtype)
    assert set(at(monkeypatch, logits, 0.0).tolist()) == {1}
    assert set(at(monkeypatch, logits, 1 - 2.0**-53).tolist()) == {300}


@pytest.mark.statistical(false_alarm=1e-9)
def test_frequencies_are_the_masses():
    """Chi-square over 256 values, 200 000 draws: a total variation of 0.02 is found with near certainty."""
    torch.manual_seed(0)
    logits = 2 * torch.randn(256)
    counts = torch.bincount(draw_categories(logits.expand(200_000, 256)), minlength=256)
    assert chi_square_test(counts, logits.double().softmax(-1), 1e-9).passed


def test_rows_are_drawn_for_themselves():
    one_hot = torch.full((2, 3, 4), -torch.inf)
    index = torch.tensor([[0, 1, 2], [3, 2, 1]])
    one_hot.scatter_(-1, index.unsqueeze(-1), 0.0)
    assert torch.equal(draw_categories(one_hot), index)
    assert torch.equal(draw_categories(one_hot.transpose(0, 1)), index.T)  # no warning that it is not contiguous
    for batch in ((), (0,), (3, 0), (5,)):
        found = draw_categories(torch.zeros(*batch, 7))
        assert (found.shape, found.dtype) == (torch.Size(batch), torch.int64)
    assert torch.vmap(draw_categories, randomness="different")(one_hot).equal(index)


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_a_row_without_a_law_gives_what_is_no_value(wrong):
    assert draw_categories(torch.tensor([[0.0, wrong, 0.0], [0.0, -torch.inf, -torch.inf]])).tolist() == [3, 0]
    assert int(draw_categories(torch.full((3,), -torch.inf))) == 3
