"""Recipes on images: glow, image_real_nvp, flow_plus_plus, nice, multi_scale_flow, channel_mixing."""

import math

import pytest
import torch
from torch import nn

from probgen.distributions.bijectors import (
    ActNorm,
    Along,
    Bijector,
    Inverse,
    LULinear,
    MaskedCoupling,
    SplitCoupling,
)
from probgen.flows import channel_mixing, flow_plus_plus, glow, image_real_nvp, multi_scale_flow, nice

RECIPES = {
    "glow": lambda **options: glow((1, 8, 8), levels=3, steps=2, hidden=8, **options),
    "additive glow": lambda **options: glow((1, 8, 8), levels=2, steps=2, hidden=8, coupling="additive", **options),
    "image_real_nvp": lambda **options: image_real_nvp((1, 8, 8), levels=3, hidden=4, blocks=1, **options),
    "flow_plus_plus": lambda **options: flow_plus_plus(
        (1, 8, 8), layers=(2, 1, 1), hidden=8, blocks=1, heads=2, components=4, **options
    ),
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def moved(flow: Bijector, size: float = 0.05) -> Bijector:
    """The flow in float64, all its parameters moved a little: as it is after some training."""
    for parameter in flow.parameters():
        parameter.data.add_(size * torch.randn_like(parameter))
    return flow.double()


def parts(flow: Bijector, kind: type) -> list[nn.Module]:
    """All parts of a kind, at any depth."""
    return [module for module in flow.modules() if isinstance(module, kind)]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("shape", [None, (3,), (2, 4, 16)])
def test_deep_flows_invert_with_and_without_contexts(name, shape):
    flow, x = moved(RECIPES[name](context_shape=shape)), torch.randn(3, 1, 8, 8, dtype=torch.float64)
    context = () if shape is None else (torch.randn(3, *shape, dtype=torch.float64),)
    z, ildj = flow.inverse_and_log_det(x, *context)
    back, fldj = flow.forward_and_log_det(z, *context)
    assert z.shape == (3, 64)
    assert flow.domain_shape == (64,)
    assert flow.codomain_shape == (1, 8, 8)
    assert torch.allclose(back, x, atol=1e-8)
    assert torch.allclose(fldj, -ildj, atol=1e-8)
    if context:  # the same context for all, and another one
        assert torch.allclose(flow.inverse(x, context[0][0])[:1], z[:1], atol=1e-9)
        assert (flow.inverse(x, context[0].flip(0))[0] - z[0]).abs().max() > 1e-6


@pytest.mark.parametrize("name", RECIPES)
def test_log_determinants_are_those_of_the_jacobian(name):
    flow, x = moved(RECIPES[name]()), torch.randn(1, 8, 8, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(flow.inverse, x).reshape(64, 64)
    assert torch.allclose(flow.inverse_log_det_jacobian(x), torch.linalg.slogdet(jacobian).logabsdet, atol=1e-8)
    assert (jacobian != 0).double().mean() > 0.5  # most numbers of the latent depend on most pixels


@pytest.mark.parametrize("name", RECIPES)
def test_images_of_a_batch_do_not_see_each_other(name):
    flow, x = moved(RECIPES[name]()), torch.randn(4, 1, 8, 8, dtype=torch.float64)
    assert torch.allclose(flow.inverse(x)[2], flow.inverse(x[2]), atol=1e-10)


@pytest.mark.parametrize("name", RECIPES)
def test_normalizations_start_from_data(name):
    flow, x = RECIPES[name](), 100.0 + 30.0 * torch.randn(64, 1, 8, 8)
    flow.initialize_from(x)
    z = flow.inverse(x).detach()
    assert abs(float(z.mean())) < 0.1
    assert 0.7 < float(z.std()) < 1.4


def test_what_leaves_at_each_level():
    """Without layers a flow only reorders pixels: half of them are given to each level, blocks of four to a position."""
    flow = multi_scale_flow((1, 4, 4), 2, coarse_layers=lambda _shape, _level: [], split_prior="standard")
    x = torch.arange(16.0).reshape(1, 4, 4)
    z, log_det = flow.inverse_and_log_det(x)
    # squeezed to channels 00, 01, 10, 11 of each block of four; the last two channels, the lower rows of blocks, leave
    assert z[8:].tolist() == [4.0, 6.0, 12.0, 14.0, 5.0, 7.0, 13.0, 15.0]
    assert z[:8].tolist() == [0.0, 2.0, 8.0, 10.0, 1.0, 3.0, 9.0, 11.0]
    assert log_det == 0


def test_a_learned_split_prior_is_a_normal_law_given_the_coarse_channels():
    flow = multi_scale_flow((1, 4, 4), 2, coarse_layers=lambda _shape, _level: [])
    prior = parts(flow, SplitCoupling)[0]
    for parameter in prior.parameters():
        nn.init.normal_(parameter, std=0.3)
    z = torch.randn(16)
    plain = multi_scale_flow((1, 4, 4), 2, coarse_layers=lambda _shape, _level: [], split_prior="standard")
    coarse = plain.parts[0].base(z[:8])  # two channels of 2 x 2
    raw = prior.conditioner(3 * torch.tanh(coarse / 3).unsqueeze(0))[0]
    fine = raw[:2] + (math.log(1e3) * torch.tanh(raw[2:] / math.log(1e3))).exp() * z[8:].reshape(2, 2, 2)
    joined = plain.inverse(flow(z))
    assert torch.allclose(joined[:8], z[:8], atol=1e-6)
    assert torch.allclose(joined[8:].reshape(2, 2, 2), fine, atol=1e-5)


def test_real_nvp_has_the_couplings_of_the_paper():
    flow = image_real_nvp((1, 8, 8), levels=2, hidden=4, blocks=1)
    assert len(parts(flow, MaskedCoupling)) == 3 + 4
    assert len(parts(flow, SplitCoupling)) == 3
    widths = {layer.conditioner.entry.out_features for layer in parts(flow, MaskedCoupling)}
    assert widths == {4, 8}


def test_glow_has_k_steps_a_level_and_priors_between():
    flow = glow((3, 8, 8), levels=2, steps=3, hidden=4)
    assert [len(parts(flow, kind)) for kind in (Along, ActNorm, SplitCoupling)] == [6, 6, 7]
    standard = glow((3, 8, 8), levels=2, steps=3, hidden=4, split_prior="standard")
    assert len(parts(standard, SplitCoupling)) == 6


def test_an_additive_glow_has_the_same_log_determinant_everywhere():
    flow = moved(glow((1, 4, 4), levels=2, steps=2, hidden=8, coupling="additive", split_prior="standard"))
    log_det = flow.inverse_log_det_jacobian(torch.randn(5, 1, 4, 4, dtype=torch.float64))
    assert (log_det - log_det[0]).abs().max() < 1e-12


@pytest.mark.parametrize("mixing", ["plain", "lu", "qr", "permutation"])
def test_a_mixing_is_one_matrix_at_every_position(mixing):
    layer = moved(channel_mixing(4, mixing))
    x = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    z, log_det = layer.inverse_and_log_det(x)
    matrix = torch.stack([layer.inverse(row.reshape(4, 1, 1)).flatten() for row in torch.eye(4, dtype=torch.float64)], 1)
    assert torch.allclose(z, torch.einsum("ij,njhw->nihw", matrix, x), atol=1e-10)
    assert torch.allclose(log_det, 15 * torch.linalg.slogdet(matrix).logabsdet.expand(2), atol=1e-10)
    assert torch.allclose(layer(z), x, atol=1e-8)


def test_the_determinant_of_a_factored_convolution_is_a_sum_over_channels():
    layer = channel_mixing(64, "lu")
    linear = layer.base.base
    assert isinstance(layer.base, Inverse)
    assert isinstance(linear, LULinear)
    value = linear._log_determinant(torch.zeros(()))
    seen, stack = set(), [value.grad_fn]
    while stack:  # no matrix takes part in it: the largest tensor in its graph has as many numbers as there are channels
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            stack += [following for following, _ in node.next_functions]
    leaves = [node.variable.numel() for node in seen if hasattr(node, "variable")]
    assert leaves == [64]


def test_the_class_shifts_the_law_of_the_top_level():
    flow = glow((1, 4, 4), levels=2, steps=1, hidden=4, context_shape=(2,))
    top = next(module for name, module in flow.named_modules() if name.endswith("conditioner") and hasattr(module, "shape"))
    nn.init.normal_(top.context.bias.linear.weight)
    z, classes = torch.zeros(2, 16), torch.eye(2)
    assert (flow(z, classes)[0] - flow(z, classes)[1]).abs().max() > 0.1


def test_flow_plus_plus_scores_in_closed_form():
    flow = RECIPES["flow_plus_plus"]()
    assert flow.fast_direction == "inverse"
    with pytest.raises(ValueError, match="checkerboards need two positions"):
        flow_plus_plus((1, 2, 2), layers=(0, 0, 1))


def test_nice_preserves_volume_up_to_its_scales():
    flow = moved(nice(5, hidden=(8,)))
    log_scale = flow.forward_log_det_jacobian(torch.zeros(5, dtype=torch.float64))
    log_dets = flow.forward_log_det_jacobian(torch.randn(7, 5, dtype=torch.float64))
    assert torch.allclose(log_dets, log_scale.expand(7), atol=1e-12)
    assert log_scale.abs() > 1e-4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: glow((1, 28, 28), levels=3), r"halve \(1, 28, 28\) 3 times; got 3"),
        (lambda: glow((1, 8, 8), coupling="spline"), '`coupling` must be "affine" or "additive"'),
        (lambda: glow((1, 8, 8), steps=0), "`steps` must be positive; got 0"),
        (lambda: glow((1, 8, 8), mixing="svd"), "`mixing` must be one of 'plain', 'lu', 'qr', 'permutation'; got 'svd'"),
        (lambda: glow((1, 8, 8), split_prior="none"), '`split_prior` must be "learned" or "standard"'),
        (lambda: glow((8, 8)), r"`event_shape` must be \(C, H, W\)"),
        (lambda: glow((1, 8, 8), levels=1, context_shape=(1, 3, 3)), "`context_shape` must have sizes that divide"),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_layers_of_flow_plus_plus_are_three_numbers():
    with pytest.raises(ValueError, match=r"`layers` must be three numbers, none negative.*got \(1,\)"):
        flow_plus_plus((1, 4, 4), layers=(1,))


def test_a_step_of_glow_is_in_the_order_of_the_paper():
    flow = glow((1, 2, 2), levels=1, steps=2, hidden=4)
    kinds = [type(part) for part in flow if isinstance(part, ActNorm | Along | SplitCoupling)]
    assert kinds == [SplitCoupling, Along, ActNorm] * 2  # from the latent to the data


def test_checkerboards_take_turns():
    flow = flow_plus_plus((1, 4, 4), layers=(2, 1, 2), hidden=8, blocks=1, heads=2, components=2)
    masks = [part.base.mask for part in flow if isinstance(part, Inverse) and isinstance(part.base, MaskedCoupling)]
    assert len(masks) == 4
    assert torch.equal(masks[0], ~masks[1])
    assert torch.equal(masks[2], ~masks[3])
