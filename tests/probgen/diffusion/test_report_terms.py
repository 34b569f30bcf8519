"""The table of terms: shapes, chunks, errors of Monte Carlo."""

import math

import pytest
import torch

import probgen as pg
from probgen.diffusion import BoundTerms, bound_terms
from tests.probgen.diffusion.beds import Constant, bed


def test_terms_do_not_depend_on_the_chunks():
    schedule = pg.diffusion.cosine_schedule()
    d = pg.diffusion.Diffusion(Constant(schedule, (2,)), schedule, (2,), 7)  # no term but the decoder's depends on the noise
    x = torch.randn(10, 2).double()
    tables = [bound_terms(d, x, rows=rows) for rows in (1, 3, 25, 1000)]
    for table in tables:
        assert isinstance(table, BoundTerms)
        assert table.nats.shape == table.stderr.shape == (10, 8)
        assert table.x0_error.shape == (10, 7)
        assert torch.allclose(table.nats, tables[0].nats)
        assert torch.allclose(table.x0_error, (x - 0.3).square().mean(-1, keepdim=True).expand(10, 7))


def test_errors_of_the_noise_are_snr_times_those_of_the_data():
    d, _ = bed(0.25, grid=10)
    table = bound_terms(d, torch.randn(6, 1).double())
    assert torch.allclose(table.eps_error, table.x0_error * d.schedule.level(d.grid.times[1:]).snr)


@pytest.mark.statistical(false_alarm=1e-8)
def test_the_standard_error_is_that_of_repetition():
    # relative error of a variance from 100 repetitions: 14 %; six of these
    d, _ = bed(0.25, pg.diffusion.linear_schedule(5, 0.1, 0.6), 5)
    x = torch.tensor([[0.7]]).double()
    tables = [bound_terms(d, x, num_draws=8) for _ in range(100)]
    totals = torch.stack([table.total for table in tables])
    claimed = torch.stack([table.total_stderr.square() for table in tables]).mean()
    assert abs(totals.var() / claimed - 1) < 0.85
    assert math.isnan(bound_terms(d, x).total_stderr)


def test_contexts_follow_their_data():
    network = pg.nn.DenoisingMLP(2, hidden=(8,), conditioning=pg.nn.VectorConditioning(1))
    torch.nn.init.normal_(list(network.parameters())[-2])
    d = pg.diffusion.Diffusion(network, pg.diffusion.cosine_schedule(), (2,), 4)
    x, context = torch.zeros(6, 2), torch.arange(6.0).unsqueeze(-1)
    whole = bound_terms(d, x, context, num_draws=60, rows=24)
    split = bound_terms(d, x, context, num_draws=60, rows=5)
    assert ((whole.total - split.total).abs() < 8 * (whole.total_stderr + split.total_stderr)).all()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((torch.zeros(0, 1),), {}, r"\[n, "),
        ((torch.zeros(2, 3, 1),), {}, r"\[n, "),
        ((torch.zeros(2, 1),), {"num_draws": 0}, "`num_draws`"),
        ((torch.zeros(2, 1),), {"rows": 0}, "`rows`"),
        ((torch.zeros(2, 2),), {}, "event shape"),
    ],
)
def test_errors(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        bound_terms(bed(grid=4)[0], *arguments, **options)
