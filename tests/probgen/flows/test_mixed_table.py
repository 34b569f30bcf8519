"""The flow for tables of mixed columns: valid rows, context, and dependence between kinds learned from data."""

import copy

import pytest
import torch

from probgen.distributions import SurjectiveLaw
from probgen.distributions.surjections import CategoricalColumn, ContinuousColumn, IntegerColumn
from probgen.flows import RowNetwork, mixed_table_flow
from probgen.infer import MaximumLikelihood

COLUMNS = (ContinuousColumn(1.0, 2.0), IntegerColumn(3.0, 2.0, low=0), CategoricalColumn(3))


def small(**options):
    return mixed_table_flow(COLUMNS, layers=2, bins=4, hidden=(16,), guide_hidden=(16,), **options)


def test_events_are_valid_rows_and_every_parameter_learns():
    torch.manual_seed(0)
    law = small()
    assert isinstance(law, SurjectiveLaw)
    rows = law().sample((200,))
    assert law().support.check(rows).all()
    assert law().log_prob_kind == "lower"
    MaximumLikelihood(law)(rows).backward()
    assert all(parameter.grad is not None for parameter in law.parameters())
    twin = copy.deepcopy(law).double()
    assert twin().bound(rows.double(), 2).dtype == torch.float64


def test_context_reaches_flow_and_guide():
    torch.manual_seed(0)
    law = small(context_shape=(2,), num_draws=3)
    context = torch.randn(5, 2)
    rows = law(context).sample((7,))
    assert rows.shape == (7, 5, 3)
    assert law(context).bound(rows).shape == (7, 5)
    assert law(context).log_prob(rows).shape == (7, 5)
    with pytest.raises(ValueError, match="needs a context"):
        law()
    context.requires_grad_()
    assert torch.autograd.grad(law(context).bound(rows).sum(), context)[0].abs().min() > 0


def test_without_coordinates_the_density_is_exact_and_without_layers_the_guide_is_normal():
    torch.manual_seed(0)
    exact = mixed_table_flow(COLUMNS[:1] * 2, layers=2, hidden=(8,))
    assert exact().log_prob_kind == "exact"
    assert small(guide_layers=0)().bound(torch.tensor([[0.0, 2.0, 1.0]])).isfinite().all()
    network = RowNetwork(COLUMNS, 4, (8,), context_shape=(2,))
    assert network(torch.tensor([[1e6, 2.0, 1.0]]), torch.zeros(1, 2)).abs().max() < 100


def test_dependence_between_kinds_is_learned():
    """The category decides the number: independent columns would lose log 3 = 1.1 nats, less what the bound loses."""
    torch.manual_seed(0)
    category = torch.randint(3, (2000,)).float()
    table = torch.stack([3 * category + 0.3 * torch.randn(2000), torch.full((2000,), 3.0) + 2 * category, category], -1)
    law = small(guide_layers=0)
    optimizer = torch.optim.Adam(law.parameters(), 1e-2)
    for step in range(150):
        loss = MaximumLikelihood(law)(table[(200 * step) % 2000 : (200 * step) % 2000 + 200])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    drawn = law().sample((500,))
    agree = ((drawn[:, 0] / 3).round() == drawn[:, 2]).float().mean()
    assert agree > 0.7  # 1/3 if the columns were independent


def test_refuses_what_is_no_column():
    with pytest.raises(TypeError, match="`columns` must hold columns"):
        mixed_table_flow([1, 2])
