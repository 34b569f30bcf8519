"""The objectives of ``probgen.infer`` reach every level of a hierarchy by the name of its site."""

import pytest
import torch

from probgen.infer import ELBO, IWAE, FreeBits, KLBalancing, Renyi
from probgen.vae import HierarchicalBound, ladder_vae, top_down_vae
from tests.probgen.vae.hierarchies import EXACT, evidence

BOUNDS = {
    "draws": ELBO(analytic_kl=False),
    "iwae": IWAE(4),
    "iwae, doubly reparameterized": IWAE(4, "doubly_reparameterized"),
    "renyi": Renyi(0.5, 4),
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("bound", BOUNDS)
def test_every_bound_is_the_evidence_where_the_posterior_is_exact(name, bound):
    torch.set_default_dtype(torch.float64)
    vae, x = EXACT[name](), torch.randn(5, 3)
    torch.testing.assert_close(vae.loss(BOUNDS[bound])(x), -evidence().log_prob(x).sum(), rtol=0, atol=1e-10)


def loss_of(vae, x, **options):
    torch.manual_seed(0)
    return vae.loss(ELBO(**options))(x)


def test_weights_of_the_levels():
    vae = top_down_vae((4,), (3, 2), hidden=8)
    x = vae.distribution().sample((6,))
    weights = {"z_1": 0.25, "z_2": 2.0}
    by_programs = loss_of(vae, x, kl_weight=weights)
    torch.manual_seed(0)
    torch.testing.assert_close(by_programs, HierarchicalBound(vae, kl_weight=weights)(x))


def test_free_bits_of_the_levels_and_balancing():
    """A generous threshold replaces the divergence of every level; balanced weights have a mean of the warm-up's."""
    vae = ladder_vae((4,), (3, 2), hidden=8)
    x = vae.distribution().sample((6,))
    torch.manual_seed(0)
    kl = {name: value.sum() for name, value in vae.distribution().divergences(x).items()}
    plain = loss_of(vae, x)
    free = loss_of(vae, x, free_bits=FreeBits(100.0))
    torch.testing.assert_close(free - plain, 2 * 6 * 100.0 - kl["z_1"] - kl["z_2"])
    balanced = loss_of(vae, x, kl_weight=KLBalancing(0.5))
    total = kl["z_1"] + kl["z_2"]
    expected = 0.5 * 2 * (kl["z_1"] ** 2 + kl["z_2"] ** 2) / total
    torch.testing.assert_close(plain - balanced, total - expected)
