"""PixelCNN++: steps are the parallel pass at every pixel, nothing later is seen, all that is earlier is seen."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from probgen.distributions import Autoregressive, AutoregressiveLaw, DiscretizedLogistic, Quantization
from probgen.distributions.elements import BernoulliElement, DiscretizedLogisticMixtureElement
from probgen.distributions.testing import incremental_matches_parallel, levels_are_parallel, states_do_not_mix
from probgen.nn import PixelCNNPlusPlus
from probgen.nn.causal import NormalizedWeight, RecomputingNetwork

KINDS = {
    "one level": ((3, 4), {"levels": 1}),
    "three levels, sides that do not divide": ((5, 3), {"levels": 3}),
    "colors and a context": ((3, 3, 4), {"levels": 2, "context_shape": (2,)}),
    "plain weights, another activation": ((1, 4, 2), {"levels": 2, "weight_norm": False, "activation": nn.Tanh()}),
}


def made(shape, num_outputs=2, **options):
    torch.manual_seed(0)
    network = PixelCNNPlusPlus(shape, num_outputs, **{"filters": 3, "blocks": 1, **options}).double().eval()
    for layer in network.modules():
        if isinstance(layer, NormalizedWeight):  # gates that are not nearly closed, biases that are not zero
            nn.init.normal_(layer.bias, std=0.5)
            nn.init.normal_(layer.direction if layer.gain is None else layer.gain, std=1.0 if layer.gain is not None else 0.3)
    return network


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [(), (2, 2), (0,)])
def test_steps_sweeps_and_the_parallel_pass_agree(kind, batch):
    shape, options = KINDS[kind]
    network = made(shape, **options)
    values = torch.randn(*batch, network.features * network.num_inputs).double()
    context = None if network.context_shape is None else torch.randn(*batch, 2).double()
    incremental_matches_parallel(network, values, context, tolerance=1e-12)
    if batch == ():
        levels_are_parallel(network, values, context)
        states_do_not_mix(network, values, torch.randn_like(values), context)


@pytest.mark.parametrize(("shape", "levels"), [((4, 4), 1), ((5, 6), 2), ((5, 5), 3), ((3, 4, 4), 3)])
def test_the_jacobian_is_strictly_triangular_and_full_below(shape, levels):
    """No pixel is seen too early, resampled levels included; and there is no blind spot: with blocks enough, all are seen."""
    network = made(shape, blocks=2, levels=levels)
    values = torch.randn(network.features * network.num_inputs).double()
    jacobian = torch.func.jacrev(network)(values).detach().abs().sum(1)  # [positions, positions * C]
    seen = jacobian.unflatten(-1, (network.features, network.num_inputs)).sum(-1)
    assert float(seen.triu().max()) == 0.0
    below = torch.ones_like(seen).tril(-1) > 0
    assert bool((seen[below] > 0).all())


def test_three_levels_reach_further_than_one():
    far = {}
    for levels in (1, 3):
        network = made((12, 12), levels=levels)
        x = torch.zeros(144).double().requires_grad_()
        (gradient,) = torch.autograd.grad(network(x)[-1].sum(), x)
        far[levels] = float(gradient.abs().reshape(12, 12)[0].max())
    assert far[1] == 0.0
    assert far[3] > 0.0


@pytest.mark.parametrize("image_shape", [(2, 3), (1, 2, 3)])
def test_a_law_of_binary_images_has_mass_one(image_shape):
    network = made(image_shape, 1, levels=2)
    element = BernoulliElement()
    law = Autoregressive(network, (2, 3), element)
    mass = law.log_prob(law.enumerate_support()).exp().sum()
    assert float(mass.detach()) == pytest.approx(1.0, abs=1e-12)


def test_the_law_of_colored_pixels_sums_to_one_and_conditions_on_a_class():
    """All 2^6 images of one pixel more than one: two pixels of three colors with two levels each."""
    element = DiscretizedLogisticMixtureElement(Quantization(2, -1.0, 1.0), components=3, channels=3)
    model = AutoregressiveLaw(made((3, 1, 2), element.num_parameters, levels=1, context_shape=(4,)), (3, 1, 2), element)
    images = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0]).double()] * 6).reshape(64, 3, 1, 2)
    classes = torch.eye(4).double()
    with torch.no_grad():
        scores = model(classes).log_prob(images.unsqueeze(1))
    torch.testing.assert_close(scores.exp().sum(0), torch.ones(4).double(), atol=1e-12, rtol=0)
    assert float((scores[:, 0] - scores[:, 1]).abs().max()) > 1e-3
    assert model(classes).sample((5,)).shape == (5, 4, 3, 1, 2)


def test_samples_are_levels_and_those_of_naive_sampling():
    element = DiscretizedLogisticMixtureElement(Quantization(256, 0.0, 255.0), components=2, channels=3)
    network = made((3, 3, 4), element.num_parameters, levels=2)
    naive = RecomputingNetwork(network, network.features, network.num_outputs, num_inputs=3)
    drawn = []
    for which in (network, naive):
        torch.manual_seed(1)
        drawn.append(Autoregressive(which, (3, 3, 4), element).sample((4,)))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[0].round().clamp(0, 255))
    assert bool(Autoregressive(network, (3, 3, 4), element).log_prob(drawn[0]).isfinite().all())


def test_initialization_from_data_standardizes_the_output():
    torch.manual_seed(0)
    network = PixelCNNPlusPlus((2, 4, 6), 5, filters=4, blocks=1, levels=2, dropout=0.5, context_shape=(3,))
    images, context = 0.3 + 0.2 * torch.randn(64, 2, 4, 6), torch.randn(64, 3)
    network.initialize_from(images, context)
    assert network.training
    params = network.eval()(images.movedim(1, -1).flatten(1), context)
    torch.testing.assert_close(params.mean((0, 1)), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(params.std((0, 1), correction=0), torch.ones(5), atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match=r"`images` must be at least one image of shape \(2, 4, 6\); got \(64, 4, 6\)"):
        network.initialize_from(images[:, 0], context)


def test_copies_states_and_pickles():
    network = made((4, 3), levels=2)
    values = torch.randn(2, 12).double()
    other = made((4, 3), levels=2, blocks=1)
    nn.init.zeros_(other.head.direction)
    other.load_state_dict(network.state_dict())
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    for again in (other, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        torch.testing.assert_close(again(values), network(values))


def test_gradients_through_the_steps_are_those_of_the_pass():
    network = made((3, 3), levels=2)
    values = torch.randn(2, 9).double().requires_grad_()
    state, params = network.init_state((2,))
    for k in range(8):
        state, params = network.step(state, values[:, k : k + 1])
    (by_steps,) = torch.autograd.grad(params.sum(), values)
    (at_once,) = torch.autograd.grad(network(values)[:, 8].sum(), values)
    torch.testing.assert_close(by_steps, at_once)


def test_gray_levels_of_one_position_are_the_documented_mixture():
    """The first pixel does not depend on the image: its law is the mixture of the network's first numbers."""
    element = DiscretizedLogisticMixtureElement(Quantization(8, -1.0, 1.0), components=1, channels=None)
    network = made((2, 2), element.num_parameters, levels=1)
    law = Autoregressive(network, (2, 2), element)
    first = network(torch.zeros(4).double())[0].detach()
    centers = element.quantization.centers(torch.float64)
    images = torch.cartesian_prod(*[centers] * 4).reshape(8, -1, 2, 2)
    with torch.no_grad():
        marginal = law.log_prob(images.reshape(-1, 2, 2)).reshape(8, -1).logsumexp(1)
    expected = DiscretizedLogistic(first[1], first[2].exp(), element.quantization).log_prob(centers)
    torch.testing.assert_close(marginal, expected)


def test_errors():
    with pytest.raises(ValueError, match=r"`image_shape` must be \(C, H, W\) or \(H, W\), all positive; got \(4,\)"):
        PixelCNNPlusPlus((4,), 2)
    with pytest.raises(ValueError, match="must be positive; got 8, 0 and 1"):
        PixelCNNPlusPlus((4, 4), 2, filters=8, blocks=0, levels=1)
    with pytest.raises(ValueError, match="2 x 4 pixels has fewer than `levels` = 3"):
        PixelCNNPlusPlus((2, 4), 2, filters=8, levels=3)
