"""PixelCNN and Gated PixelCNN: what they see, what a step costs, and that they run in any layout and precision."""

import copy

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from probgen.distributions import Autoregressive, OneHotEmbedding
from probgen.distributions.elements import BernoulliElement, CategoricalElement
from probgen.distributions.testing import incremental_matches_parallel, levels_are_parallel, states_do_not_mix
from probgen.nn import GatedPixelCNN, PixelCNN
from probgen.nn.causal import GatedLayer

NETWORKS = {
    "plain": lambda shape, P=1, **options: PixelCNN(shape, P, blocks=3, channels=8, head_channels=6, **options),
    "gated": lambda shape, P=1, **options: GatedPixelCNN(shape, P, layers=4, channels=6, head_channels=6, **options),
}
KINDS = {
    "pixels": {"shape": (1, 3, 4)},
    "pixels of three numbers": {"shape": (3, 3, 2)},
    "ordered colors": {"shape": (3, 2, 3), "ordered_channels": True},
    "vector": {"shape": (1, 3, 2), "context_shape": (5,)},
    "features of pixels": {"shape": (1, 3, 2), "context_shape": (2, 3, 2)},
    "ordered colors, features": {"shape": (2, 2, 2), "ordered_channels": True, "context_shape": (2, 2, 2)},
}


@pytest.fixture(params=NETWORKS)
def make(request):
    torch.manual_seed(0)
    return NETWORKS[request.param]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [(), (2, 3), (0,)])
def test_steps_sweeps_and_the_parallel_pass_agree(make, kind, batch):
    network = make(P=2, kernel_size=5, first_kernel_size=3, **KINDS[kind]).double()
    values = torch.randn(*batch, network.features * network.num_inputs).double()
    context = None if network.context_shape is None else torch.randn(*batch, *network.context_shape).double()
    incremental_matches_parallel(network, values, context, tolerance=1e-10)
    levels_are_parallel(network, values, context)
    states_do_not_mix(network, values, torch.randn_like(values), context)


def reached(network):
    """Which pixels each pixel sees, ``[D, D]``, by Jacobians at several inputs."""
    network = copy.deepcopy(network).double()
    inputs = torch.randn(4, network.features).double()
    jacobian = torch.func.vmap(torch.func.jacrev(lambda x: network(x)[:, 0]))(inputs)
    return (jacobian != 0).any(0)


def test_gates_leave_no_blind_spot():
    torch.manual_seed(0)
    network = GatedPixelCNN((1, 6, 6), 1, layers=6, channels=4, head_channels=8, first_kernel_size=3)
    assert torch.equal(reached(network), torch.ones(36, 36).tril(-1).bool())


@pytest.mark.parametrize("first", [3, 5])
def test_the_blind_spot_of_plain_masks_is_where_theory_puts_it(first):
    torch.manual_seed(0)
    network = PixelCNN((1, 6, 6), 1, blocks=7, channels=16, head_channels=16, first_kernel_size=first)
    row, column = torch.meshgrid(torch.arange(6), torch.arange(6), indexing="ij")
    up = row.flatten().unsqueeze(1) - row.flatten()
    right = column.flatten() - column.flatten().unsqueeze(1)
    before = torch.ones(36, 36).tril(-1).bool()
    # one column to the right for each row up, and what the first kernel adds in its first row
    expected = before & (right <= up + first // 2 - 1)
    expected[up == 0] = before[up == 0]
    assert torch.equal(reached(network), expected)
    assert not torch.equal(expected, before)


def test_a_step_costs_the_same_at_every_pixel_and_all_steps_cost_one_pass():
    network = GatedPixelCNN((1, 8, 8), 1, layers=4, channels=16, head_channels=8)
    costs = []
    with torch.no_grad():
        counter = FlopCounterMode(display=False)
        with counter:
            network.sweep(lambda *_: costs.append(counter.get_total_flops()) or torch.zeros(2, 1), (2,))
        with FlopCounterMode(display=False) as once:
            network(torch.zeros(2, 64))
    steps = torch.tensor(costs).diff(prepend=torch.zeros(1, dtype=torch.int64)).reshape(8, 8)
    assert (steps[:, 1:] == steps[0, 1]).all()  # within a row, anywhere in the image
    assert (steps[:, 0] == steps[0, 0]).all()  # and where a row begins
    assert costs[-1] <= once.get_total_flops()


def test_contexts_act_in_the_whole_image(make):
    network = make((1, 3, 3), context_shape=(4,), first_kernel_size=3).double()
    values, context = torch.zeros(2, 9).double(), torch.randn(2, 4).double()
    assert ((network(values, context) - network(values, -context)).abs() > 1e-6).all()
    network = make((1, 3, 3), context_shape=(2, 3, 3), first_kernel_size=3).double()
    features = torch.zeros(2, 3, 3).double()
    changed = features.clone()
    changed[:, 1, 1] = 1
    difference = (network(values, changed) - network(values, features)).abs()[0, :, 0]
    assert (difference[:3] == 0).all()  # features of a pixel act on its row (a vertical stack carries them) and on later ones
    assert difference[4] > 0
    assert (difference[4:] > 0).sum() >= 3  # a rectifier may close a path


@pytest.mark.parametrize("options", [{}, {"context_shape": (3,)}])
def test_the_parallel_pass_compiles_and_does_not_mind_the_layout(make, options):
    network = make((2, 5, 4), P=3, **options)
    values = torch.randn(2, 40)
    context = torch.randn(2, 3) if options else None
    expected = network(values, context)
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(values, context), expected)
    network = network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(network(values, context), expected, rtol=1e-4, atol=1e-5)


def test_it_runs_in_half_precision(make):
    network = make((1, 4, 4), context_shape=(3,))
    values, context = torch.randn(2, 16), torch.randn(2, 3)
    expected = network(values, context)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(network(values, context).float(), expected, rtol=0.1, atol=0.1)
        incremental_matches_parallel(network, values, context, tolerance=0.1)


def test_dropout_is_for_training_only(make):
    network = make((1, 4, 4), dropout=0.5)
    values = torch.randn(2, 16)
    assert not torch.equal(network(values), network(values))
    network.eval()
    assert torch.equal(network(values), network(values))
    incremental_matches_parallel(network, values, tolerance=1e-4)


def test_codes_enter_as_unit_vectors(make):
    p = Autoregressive(make((3, 2, 2), P=3, first_kernel_size=3), (2, 2), CategoricalElement(3), embedding=OneHotEmbedding(3))
    with torch.no_grad():
        torch.testing.assert_close(p.log_prob(p.enumerate_support()).exp().sum(), torch.tensor(1.0))


def test_ordered_colors_are_a_law():
    torch.manual_seed(0)
    network = GatedPixelCNN((3, 2, 2), 1, layers=2, channels=6, head_channels=6, first_kernel_size=3, ordered_channels=True)
    p = Autoregressive(network.double(), (3, 2, 2), BernoulliElement())
    with torch.no_grad():
        torch.testing.assert_close(p.log_prob(p.enumerate_support()).exp().sum(), torch.ones(()).double(), atol=1e-12, rtol=0)


def test_features_keep_their_size_through_the_gates():
    torch.manual_seed(0)
    layers = [GatedLayer((9, 9), 64, 3, image_channels=1), *(GatedLayer((9, 9), 64, 3) for _ in range(9))]
    rows = columns = torch.randn(16, 1, 9, 9).sign()
    with torch.no_grad():
        for layer in layers:
            rows, link = layer.above(rows)
            columns, gated = layer.beside(columns, link)
    assert 0.1 < rows[:, :, 4:].std() < 2.0  # with a gain of one it would be 0.001
    assert 0.2 < gated[:, :, 4:].std() < 0.8
    assert columns[:, :, 4:].std() < 3


def test_what_does_not_fit_is_refused(make):
    with pytest.raises(ValueError, match="`image_shape` must be"):
        make((3,))
    with pytest.raises(ValueError, match="`dropout` lie in"):
        make((1, 3, 3), dropout=1.5)
    with pytest.raises(ValueError, match="`layers` must be positive"):
        GatedPixelCNN((1, 3, 3), 1, layers=0)
    with pytest.raises(ValueError, match="`blocks` must not be negative"):
        PixelCNN((1, 3, 3), 1, blocks=-1)


def test_they_are_built_where_values_cannot_be_read(make):
    with torch.device("meta"):
        network = make((1, 3, 4))
        assert network(torch.zeros(2, 12)).shape == (2, 12, 1)
