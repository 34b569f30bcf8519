"""PixelSNAIL: steps against the parallel pass, what it may see, contexts, mass."""

import pytest
import torch

from probgen.distributions import Autoregressive
from probgen.distributions.elements import BernoulliElement, CategoricalElement
from probgen.distributions.testing import incremental_matches_parallel, levels_are_parallel, states_do_not_mix
from probgen.nn.causal import PixelSNAIL

SMALL = {"filters": 8, "stages": 2, "blocks": 1, "heads": 2, "kernel_size": 3}
KINDS = {
    "gray": {"image_shape": (3, 4)},
    "colors": {"image_shape": (3, 2, 3)},
    "context": {"image_shape": (2, 3), "context_shape": (2, 3)},
}


def made(kind, **options):
    torch.manual_seed(0)
    return PixelSNAIL(num_outputs=2, **SMALL, **KINDS[kind], **options).double()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [(), (4,), (2, 3), (0,)])
def test_steps_sweeps_and_the_parallel_pass_agree(kind, batch):
    network = made(kind)
    values, other = torch.randn(2, *batch, network.features * network.num_inputs).double()
    context = None if network.context_shape is None else torch.randn(*batch, 2, 3).double()
    incremental_matches_parallel(network, values, context, tolerance=1e-12)
    levels_are_parallel(network, values, context)
    states_do_not_mix(network, values, other, context)


def test_every_earlier_pixel_is_seen_and_no_later_one():
    network = PixelSNAIL((4, 4), 1, **SMALL).double()
    values = torch.randn(3, 16).double()
    jacobian = torch.autograd.functional.jacobian(lambda x: network(x).sum((0, 2)), values)
    assert torch.equal(jacobian.abs().sum(1) > 0, torch.ones(16, 16).tril(-1).bool())


def test_attention_carries_what_convolutions_do_not_reach():
    network = PixelSNAIL((5, 5), 1, filters=8, stages=1, blocks=1, heads=1, kernel_size=3).double()
    values = torch.randn(3, 25).double()

    def reach():
        jacobian = torch.autograd.functional.jacobian(lambda x: network(x).sum((0, 2)), values)
        return jacobian.abs().sum(1)[24, 0]

    assert reach() > 0
    with torch.no_grad():
        network.stages[0].attention.output.weight.zero_()
    assert reach() == 0


def test_places_are_told_apart():
    """On an image of zeros two pixels far from the upper border differ by their coordinates only."""
    network = PixelSNAIL((8, 8), 1, filters=8, stages=1, blocks=1, heads=1, kernel_size=3)
    output = network(torch.zeros(1, 64)).reshape(8, 8)
    assert (output[6, 5] - output[7, 5]).abs() > 1e-7
    network.background.zero_()
    flat = network(torch.zeros(1, 64)).reshape(8, 8)
    assert (flat[6, 5] - flat[7, 5]).abs() < (output[6, 5] - output[7, 5]).abs()


def test_a_law_sums_to_one_for_each_class():
    torch.manual_seed(0)
    network = PixelSNAIL((2, 2), 3, context_shape=(2,), **SMALL).double()
    law = Autoregressive(network, (2, 2), CategoricalElement(3), context=torch.eye(2).double())
    mass = law.log_prob(law.enumerate_support()).exp().sum(0)
    torch.testing.assert_close(mass, torch.ones(2).double())
    assert law.sample((4,)).shape == (4, 2, 2, 2)


def test_dropout_is_for_training():
    network = made("gray", dropout=0.5)
    values = torch.randn(3, 12).double()
    assert not torch.equal(network(values), network(values))
    network.eval()
    incremental_matches_parallel(network, values, tolerance=1e-12)


def test_second_derivatives():
    network = made("gray")
    x = torch.randn(2, 12).double().requires_grad_()
    (slope,) = torch.autograd.grad(network(x).square().sum(), x, create_graph=True)
    assert torch.autograd.grad(slope.square().sum(), x)[0].isfinite().all()


def test_single_precision():
    law = Autoregressive(PixelSNAIL((3, 3), 1, **SMALL), (3, 3), BernoulliElement())
    assert law.log_prob(law.sample((5,))).dtype == torch.float32


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"must be \(C, H, W\) or \(H, W\), all positive; got \(4,\)"):
        PixelSNAIL((4,), 1)
    with pytest.raises(ValueError, match="must be positive; got 8, 0 and 1"):
        PixelSNAIL((4, 4), 1, filters=8, stages=0, blocks=1)
