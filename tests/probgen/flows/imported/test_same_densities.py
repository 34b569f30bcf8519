"""Imported flows have the densities of the originals, and their two directions agree."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from probgen.distributions import TransformedLaw
from probgen.flows import from_nflows, from_zuko
from tests.probgen.flows.imported.peers import points
from tests.probgen.flows.imported.stand_ins import stand_ins

IMPORTERS: dict[str, Callable[[nn.Module], TransformedLaw]] = {"nflows": from_nflows, "zuko": from_zuko}
FLOWS = {f"{library}: {name}": (library, *pair) for library in IMPORTERS for name, pair in stand_ins(library).items()}


@pytest.mark.parametrize("name", FLOWS)
def test_log_densities_are_those_of_the_original(name: str) -> None:
    """In float64 to rounding, in float32 to its precision."""
    library, flow, expected = FLOWS[name]
    x, context = points(8)
    law = IMPORTERS[library](flow)
    assert torch.allclose(law.condition(context).log_prob(x), expected, rtol=1e-12, atol=1e-12)
    law.bijector.float()
    single = law.condition(context.float()).log_prob(x.float())
    assert torch.allclose(single.double(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", FLOWS)
def test_draws_are_scored_as_they_were_drawn(name: str) -> None:
    """The slow direction of autoregressive layers reads the networks level by level."""
    library, flow, _ = FLOWS[name]
    law = IMPORTERS[library](flow).condition(points(8)[1])
    z = torch.randn(8, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x, fldj = law.bijector.forward_and_log_det(z)
    back, ildj = law.bijector.inverse_and_log_det(x)
    assert torch.allclose(back, z, atol=1e-9)
    assert torch.allclose(fldj, -ildj, atol=1e-9)
