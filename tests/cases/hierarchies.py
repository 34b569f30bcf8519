"""Cases of hierarchies of latents whose marginal law is known, and of one whose networks are learned."""

from probgen.distributions.testing import DistributionCase
from probgen.vae import ladder_vae
from tests.probgen.vae.hierarchies import EXACT, evidence


def exact(name):
    """A hierarchy whose posterior is exact."""
    return DistributionCase(lambda: EXACT[name]().distribution(), reference=evidence)


DISTRIBUTIONS = {
    **{f"HierarchicalLaw({name})": exact(name) for name in EXACT},
    "HierarchicalLaw(ladder of networks)": DistributionCase(lambda: ladder_vae((3,), (3, 2), hidden=8).distribution()),
}
