"""The laws of autoregressive distributions find distributions whose density is not that of their steps."""

import pytest
import torch

from probgen.distributions import Autoregressive, OneHotEmbedding, TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine, MaskedAutoregressive
from probgen.distributions.elements import BernoulliElement, CategoricalElement
from probgen.distributions.testing import check_distribution
from probgen.nn import MADE

LAWS = ("networks_inside_are_incremental", "conditionals_see_only_earlier_positions", "density_is_that_of_the_steps")


class Leaking(MADE):
    """At once, every output sees everything."""

    def forward(self, values, context=None):
        return super().forward(values, context) + values.sum(-1)[..., None, None]


class Backwards(MADE):
    """Steps that add what the parallel pass does not."""

    def step(self, state, values):
        state, params = super().step(state, values)
        return state, params + 1.0


@pytest.mark.parametrize(
    ("network", "violated"),
    [(MADE, set()), (Leaking, set(LAWS)), (Backwards, {LAWS[0], LAWS[2]})],
)
def test_the_laws_look_inside_distributions(network, violated):
    def make():
        return Autoregressive(network(3, 1, hidden=(8,)), (3,), BernoulliElement())

    assert check_distribution(make, laws=LAWS, strict=False).violated_laws == violated


def test_a_leak_breaks_the_mass_too():
    def make():
        return Autoregressive(Leaking(3, 1, hidden=(8,)), (3,), BernoulliElement())

    report = check_distribution(make, laws=("finite_support_has_mass_one",), strict=False)
    assert not report.passed


def test_orders_embeddings_and_contexts_are_followed():
    network = MADE(3, 4, num_inputs=4, hidden=(16,), order=(2, 0, 1), context_features=2)
    law = Autoregressive(network, (3,), CategoricalElement(4), embedding=OneHotEmbedding(4), context=torch.randn(2, 2))
    assert check_distribution(law, laws=LAWS).passed


def test_networks_in_bijectors_of_distributions_are_looked_at():
    def make(network=MADE):
        return TransformedDistribution(standard_normal(3), MaskedAutoregressive(Affine(), network(3, 2, hidden=(8,))))

    assert check_distribution(make, laws=LAWS[:1]).passed
    assert not check_distribution(lambda: make(Backwards), laws=LAWS[:1], strict=False).passed
