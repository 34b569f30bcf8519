"""The certificate of causality against networks whose dependences are known."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from probgen.distributions import Autoregressive, AutoregressiveLaw
from probgen.distributions.elements import BernoulliElement
from probgen.distributions.testing import CausalityReport, LawViolation, check_causality, raster_order
from probgen.distributions.testing.dependence import jacobian_dependence, perturbation_dependence
from probgen.nn import MADE
from tests.distributions.testing.planted.networks import Colors, Rows
from tests.distributions.testing.planted.published import DiagonalLSTM, PaddedConvolution, bernoulli_mass, pixel_cnn


def test_a_stack_of_masks_has_the_published_blind_spot():
    report = check_causality(pixel_cnn(), (1, 7, 7), order=raster_order((7, 7)))
    assert (report.num_leaks, report.num_reached, report.num_earlier) == (0, 1040, 1176)
    blind, seen = report.blind_spot((4, 2)), report.receptive_field((4, 2))
    assert blind.nonzero().tolist() == [[3, 6]], "to the right, in the row above"
    assert not bool((blind & seen).any())
    assert int(blind.sum() + seen.sum()) == report.index((4, 2))


def test_the_diagonal_lstm_leaks_where_it_is_padded_below():
    leaking = check_causality(DiagonalLSTM("below"), (1, 6, 6), order=raster_order((6, 6)), strict=False)
    assert leaking.num_leaks == 34
    assert all(seen > seeing and seen[0] > seeing[0] for seeing, seen in leaking.leaks)
    assert check_causality(DiagonalLSTM("above"), (1, 6, 6), order=raster_order((6, 6))).num_leaks == 0


def test_a_padded_convolution_without_its_shift_leaks_and_has_another_mass():
    shifted, plain = (PaddedConvolution(shifted=choice).double() for choice in (True, False))
    torch.testing.assert_close(bernoulli_mass(shifted, 6), torch.ones(()).double(), rtol=0, atol=1e-12)
    assert round(bernoulli_mass(plain, 6).item(), 3) == 0.032
    assert check_causality(shifted, (6,)).receptive_field_sizes.tolist() == [0, 1, 2, 2, 2, 2]
    assert check_causality(plain, (6,), strict=False).leaks == [((t,), (t,)) for t in range(6)]
    with pytest.raises(LawViolation, match=r"6 leaks.*\n.*0 sees 0"):
        check_causality(plain, (6,))


def test_networks_of_ours_are_seen_in_their_own_order():
    network = MADE(6, 1, hidden=(32,), order=(5, 3, 1, 0, 2, 4))
    law = AutoregressiveLaw(network, (2, 3), BernoulliElement())
    for model in (network, law, Autoregressive(network, (2, 3), BernoulliElement())):
        report = check_causality(model)
        assert (report.num_leaks, report.num_reached, report.num_earlier) == (0, 15, 15)
        assert report.rank.tolist() == [3, 2, 4, 1, 5, 0]
    assert report.grid == (2, 3)
    assert check_causality(network, (3, 2)).receptive_field((2, 1)).sum() == 0


def test_coordinates_of_one_level_may_not_see_each_other():
    graph = torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 0]]).bool()
    report = check_causality(MADE(3, 2, hidden=(16,), adjacency=graph))
    assert (report.num_reached, report.num_earlier) == (2, 2)
    assert torch.equal(report.depends, graph)


def test_contexts_and_colors_are_seen():
    assert check_causality(MADE(4, 1, hidden=(16,), context_features=3)).num_reached == 6
    report = check_causality(Colors())
    assert report.grid == (3, 2, 2)
    assert report.num_reached == 3 * 4
    assert check_causality(Colors("colors reversed"), strict=False).leaks[0] == ((0, 0, 0), (1, 0, 0))
    assert check_causality(Rows()).grid == (3, 4)


def test_colors_of_a_foreign_network_are_positions_in_raster_order():
    def network(x):  # green sees red of the own pixel, and nothing else
        return torch.stack([0 * x[:, 0], x[:, 0], 0 * x[:, 0]], 1)

    report = check_causality(network, (3, 2, 2), order=raster_order((3, 2, 2)))
    assert report.num_reached == 4
    assert report.receptive_field((1, 1, 1)).nonzero().tolist() == [[0, 1, 1]]
    backwards = check_causality(lambda x: network(x.flip(1)).flip(1), (3, 2, 2), order=raster_order((3, 2, 2)), strict=False)
    assert backwards.leaks[0] == ((1, 0, 0), (2, 0, 0))
    assert raster_order((2, 1, 3), colors_first=False).tolist() == [[[0, 1, 2]], [[3, 4, 5]]]


def test_codes_are_moved_where_there_is_no_derivative():
    class Embedded(nn.Module):
        def __init__(self, shift):
            super().__init__()
            self.table, self.shift = nn.Embedding(8, 4), shift

        def forward(self, codes):
            return F.pad(self.table(codes).cumsum(1), (0, 0, self.shift, -self.shift))

    codes = torch.randint(0, 8, (3, 5), generator=torch.Generator().manual_seed(0))
    codes[1:] = (codes[:1] + torch.tensor([[1], [2]])) % 8
    report = check_causality(Embedded(1), (5,), values=codes)
    assert (report.methods, report.num_reached, report.num_earlier) == (("perturbation",), 10, 10)
    assert check_causality(Embedded(0), (5,), values=codes, methods=["jacobian"], strict=False).num_leaks == 5


def test_a_step_function_hides_its_leak_from_the_derivative_only():
    def network(x):
        return (x > 0).to(x) + 0 * x

    assert check_causality(network, (4,), methods=["jacobian"]).passed
    assert check_causality(network, (4,), strict=False).num_leaks == 4


def test_heads_that_start_at_zero_hide_nothing():
    class Zero(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, 4))

        def forward(self, x):
            return x @ self.weight

    assert check_causality(Zero(), (4,), strict=False).num_leaks == 10


def test_nothing_is_changed_and_the_mode_is_kept():
    network = MADE(3, 1, hidden=(8,)).train()
    before = [parameter.clone() for parameter in network.parameters()]
    check_causality(network)
    assert network.training
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_dependence_counts_nan_as_dependence():
    places = torch.arange(3)
    for dependence in (jacobian_dependence, perturbation_dependence):
        found = dependence(lambda x: x.sqrt() + 0 * x.log().sum(-1, keepdim=True), -torch.rand(2, 3), places, places)
        assert bool(found.all())


def test_what_does_not_fit_is_refused():
    network = MADE(4, 1, hidden=(8,))
    with pytest.raises(ValueError, match="`order` must be None"):
        check_causality(network, order=torch.arange(4))
    with pytest.raises(ValueError, match=r"must hold the 4 positions of the network; got \(3, 3\)"):
        check_causality(network, (3, 3))
    with pytest.raises(ValueError, match="`event_shape` must be given"):
        check_causality(nn.Linear(3, 3))
    with pytest.raises(ValueError, match=r"`order` must broadcast to the event shape \(3,\); got shape \(4,\)"):
        check_causality(nn.Linear(3, 3), (3,), order=torch.arange(4))
    with pytest.raises(ValueError, match="neither fits"):
        check_causality(nn.Linear(3, 4), (3,))
    with pytest.raises(ValueError, match="both fit"):
        check_causality(lambda x: x.unsqueeze(1).expand(-1, 3, 3), (3,))
    with pytest.raises(ValueError, match=r"`values` must have the shape \[n, \*\(3,\)\]"):
        check_causality(nn.Linear(3, 3), (3,), values=torch.zeros(1, 3))
    with pytest.raises(ValueError, match="`methods` must be some of"):
        check_causality(nn.Linear(3, 3), (3,), methods=["guess"])
    with pytest.raises(LawViolation, match="evaluation_is_deterministic"):
        check_causality(torch.rand_like, (3,))


def test_the_report_names_positions():
    depends = torch.tensor([[1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]]).bool()
    report = CausalityReport("four pixels", (2, 2), torch.arange(4), depends, ("jacobian",), 2, 3)
    assert report.leaks == [((0, 0), (0, 0)), ((0, 1), (1, 0))]
    assert (report.num_reached, report.num_earlier, report.num_leaks) == (3, 6, 2)
    assert report.leaks_of((0, 1)).tolist() == [[False, False], [True, False]]
    assert report.blind_spot(3).tolist() == [[False, False], [True, False]]
    assert report.receptive_field_sizes.tolist() == [[0, 1], [0, 2]]
    assert str(report).splitlines()[0] == "four pixels, positions (2, 2): 2 leaks; 3 of 6 reached (50.0%)"
    assert "  (0, 1) sees (1, 0)" in str(report)
    for wrong in (4, (0, 2), (0, 0, 0), -1):
        with pytest.raises(ValueError, match="`position` must be an index into"):
            report.receptive_field(wrong)
