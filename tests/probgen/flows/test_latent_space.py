"""Ways between data, attribute vectors, temperature, classes by Bayes' rule."""

import math

import pytest
import torch

from probgen.distributions import (
    DequantizedLaw,
    TransformedDistribution,
    TransformedLaw,
    flow_on,
    standard_normal,
)
from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import Affine, Compose
from probgen.distributions.constraints import unit_sphere
from probgen.flows import (
    attribute_direction,
    class_log_posterior,
    data_between,
    glow,
    moved_along,
    neural_spline_coupling,
    nice,
    sphere_flow,
    tempered,
)


@pytest.fixture
def flow():
    """A small conditional flow on images, off its start."""
    torch.manual_seed(0)
    found = glow((1, 4, 4), levels=2, steps=1, hidden=8, context_shape=(3,)).double().requires_grad_(False)
    for parameter in found.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return found


@pytest.mark.parametrize("arc", [True, False])
def test_a_way_begins_and_ends_at_the_data(flow, arc):
    start, end = torch.randn(2, 5, 1, 4, 4, dtype=torch.float64)
    given = torch.eye(3, dtype=torch.float64)[torch.arange(5) % 3]
    path = data_between(flow, start, end, torch.linspace(0, 1, 4, dtype=torch.float64), given, arc=arc)
    assert path.shape == (4, 5, 1, 4, 4)
    torch.testing.assert_close(path[0], start)
    torch.testing.assert_close(path[-1], end)
    z = flow.inverse(path, given)
    a, b = z[0], z[-1]
    if arc:
        torch.testing.assert_close(z[2], _slerp(a, b, 2 / 3), rtol=1e-6, atol=1e-6)
    else:
        torch.testing.assert_close(z[1], a + (b - a) / 3, rtol=1e-6, atol=1e-6)


def _slerp(a, b, w):
    """Shoemake's formula, event by event."""
    rows = []
    for p, q in zip(a, b, strict=True):
        angle = math.acos(float(p @ q / (p.norm() * q.norm())))
        rows.append((math.sin((1 - w) * angle) * p + math.sin(w * angle) * q) / math.sin(angle))
    return torch.stack(rows)


def test_the_context_goes_along(flow):
    start, end = torch.randn(2, 5, 1, 4, 4, dtype=torch.float64)
    zero, two = torch.eye(3, dtype=torch.float64)[[0, 2]]
    path = data_between(flow, start, end, [0.0, 0.5, 1.0], zero, end_context=two)
    torch.testing.assert_close(path[0], start)
    torch.testing.assert_close(path[-1], end)
    middle = _slerp(flow.inverse(start, zero), flow.inverse(end, two), 0.5)
    torch.testing.assert_close(path[1], flow(middle, (zero + two) / 2))
    with pytest.raises(ContextError):
        data_between(flow, start, end, [0.5])


def test_attribute_directions_are_differences_of_means(flow):
    torch.manual_seed(1)
    many, few = torch.randn(6, 1, 4, 4, dtype=torch.float64), torch.randn(2, 1, 4, 4, dtype=torch.float64)
    given = torch.eye(3, dtype=torch.float64)
    vector = attribute_direction(flow, many, few, given[[0, 1, 2, 0, 1, 2]], given[[0, 0]])
    expected = flow.inverse(many, given[[0, 1, 2, 0, 1, 2]]).mean(0) - flow.inverse(few, given[[0, 0]]).mean(0)
    torch.testing.assert_close(vector, expected)
    with pytest.raises(ValueError, match="`absent`"):
        attribute_direction(flow, many, few[:0], given[[0] * 6], given[:0])


def test_a_move_is_undone_by_its_opposite(flow):
    torch.manual_seed(1)
    x, vector = torch.randn(5, 1, 4, 4, dtype=torch.float64), torch.randn(16, dtype=torch.float64)
    zero = torch.eye(3, dtype=torch.float64)[0]
    there = moved_along(flow, x, vector, torch.tensor([0.0, 0.7]), zero)
    torch.testing.assert_close(there[0], x)
    torch.testing.assert_close(moved_along(flow, there[1], vector, [-0.7], zero)[0], x)
    lengths = flow.inverse(moved_along(flow, x, vector, [0.7], zero, rescaled=True), zero).norm(dim=-1)
    torch.testing.assert_close(lengths, torch.full((1, 5), 4.0, dtype=torch.float64))
    assert moved_along(flow, x, vector, [], zero).shape == (0, 5, 1, 4, 4)


def test_a_tempered_normal_law_is_known():
    flow = Affine(loc=torch.tensor([1.0, -2.0]), scale=torch.tensor([2.0, 3.0]))
    x = torch.tensor([[0.0, 0.5], [1.0, -4.0]])
    for temperature in (0.3, 1.0, 2.0):
        found = tempered(TransformedDistribution(standard_normal(2), flow), temperature).log_prob(x)
        known = torch.distributions.Normal(torch.tensor([1.0, -2.0]), temperature * torch.tensor([2.0, 3.0]))
        torch.testing.assert_close(found, known.log_prob(x).sum(-1))


def test_a_constant_determinant_makes_it_a_power():
    torch.manual_seed(0)
    law = TransformedDistribution(standard_normal(4), nice(4, layers=3, hidden=(8,)).double().requires_grad_(False))
    x = torch.randn(20, 4, dtype=torch.float64)
    offset = tempered(law, 0.5).log_prob(x) - 4 * law.log_prob(x)
    torch.testing.assert_close(offset, offset[:1].expand(20))


def test_laws_keep_their_kind_context_and_parameters():
    torch.manual_seed(0)
    law = TransformedLaw(standard_normal(2), neural_spline_coupling(2, context_shape=(3,), layers=2, hidden=(8,)))
    cold = tempered(law, 0.5)
    assert isinstance(cold, TransformedLaw)
    context, x = torch.randn(5, 3), torch.randn(5, 2)
    torch.testing.assert_close(cold(context).log_prob(x), tempered(law(context), 0.5).log_prob(x))
    assert {id(p) for p in law.parameters()} == {id(p) for p in cold.parameters()}
    integers = DequantizedLaw(Compose(nice(2, layers=2, hidden=(8,)), Affine(4.0, 1.0)), levels=8)
    calm = tempered(integers, 1e-6)
    assert isinstance(calm, DequantizedLaw)
    assert calm.levels == 8
    draws = calm().sample((20,))
    assert torch.equal(draws, integers.bijector(torch.zeros(2)).floor().expand(20, 2))


def test_temperature_is_positive_and_laws_have_a_base():
    law = TransformedDistribution(standard_normal(), Affine(0.0, 1.0))
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="`temperature`"):
            tempered(law, wrong)
    with pytest.raises(TypeError, match="`law`"):
        tempered(standard_normal(2), 0.5)


def test_classes_by_the_rule_of_bayes():
    torch.manual_seed(0)
    law = TransformedLaw(standard_normal(2), neural_spline_coupling(2, context_shape=(3,), layers=2, hidden=(8,)))
    x, prior = torch.randn(6, 2), torch.tensor([0.5, 0.3, 0.2])
    with torch.no_grad():
        found = class_log_posterior(law, x, torch.eye(3), prior=prior).exp()
        joint = torch.stack([law(torch.eye(3)[k].expand(6, 3)).log_prob(x).exp() * prior[k] for k in range(3)], 1)
    torch.testing.assert_close(found, joint / joint.sum(1, keepdim=True))


def test_a_base_that_cannot_be_scaled_has_no_temperature():
    law = flow_on(unit_sphere, sphere_flow(2, layers=1, hidden=(4,)))
    with pytest.raises(ValueError, match="`law` must have a base on all real numbers to scale; its bijector takes UnitSphere"):
        tempered(law, 0.5)
    flat = TransformedDistribution(standard_normal(2), Affine(3.0, 2.0))
    for temperature in (0.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="`temperature` must be positive and finite"):
            tempered(flat, temperature)


def test_shapes_of_vectors_and_data_are_named():
    flow = nice(2, layers=2, hidden=(4,))
    with pytest.raises(ValueError, match=r"`vector` must have shape \[2\], as a latent; got \[3\]"):
        moved_along(flow, torch.zeros(3, 2), torch.zeros(3), [1.0])
    with pytest.raises(ValueError, match=r"`present` must hold at least one datum, \[n, \*event\]; got shape \[2\]"):
        attribute_direction(flow, torch.zeros(2), torch.zeros(1, 2))
    with pytest.raises(ValueError, match="`contexts` must hold one context for every class"):
        class_log_posterior(lambda c: standard_normal(2), torch.zeros(3, 2), torch.zeros(0, 3))
