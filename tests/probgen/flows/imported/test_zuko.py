"""Flows trained with zuko: the same densities here, from files and, where zuko is installed, from itself."""

import importlib.util
import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from probgen.distributions.bijectors import Coupling, MaskedAutoregressive
from probgen.flows import from_zuko
from tests.probgen.flows.imported.peers import points
from tests.probgen.flows.imported.stand_ins import stand_ins

FLOWS = stand_ins("zuko")


def test_weights_are_copies_and_learn() -> None:
    """A step on the imported flow leaves the original alone and keeps the masks."""
    flow, expected = FLOWS["NSF"]
    law = from_zuko(flow)
    x, context = points(8)
    optimizer = torch.optim.SGD(law.bijector.parameters(), lr=0.01)
    before = -law.condition(context).log_prob(x).mean()
    before.backward()
    optimizer.step()
    assert -law.condition(context).log_prob(x).mean() < before
    assert torch.equal(from_zuko(flow).condition(context).log_prob(x) - expected < 1e-9, torch.ones(8, dtype=torch.bool))
    jacobian = torch.autograd.functional.jacobian(
        lambda value: law.bijector[-1].inverse(value, context[0]), x[0]
    )  # the last layer is the first that zuko runs, in the natural order
    assert torch.equal(jacobian, jacobian.tril())


def test_what_each_layer_became() -> None:
    """Couplings stay couplings; two passes are two levels."""
    assert isinstance(from_zuko(FLOWS["RealNVP"][0]).bijector[0].base, Coupling)
    layer = from_zuko(FLOWS["NSF, passes=2"][0]).bijector[0].base
    assert isinstance(layer, MaskedAutoregressive)
    assert len(layer.network.levels) == 2


def test_a_base_that_is_not_standard_becomes_a_layer() -> None:
    """Mean and standard deviation of the base are kept."""
    flow, _ = stand_ins("zuko")["MAF"]
    x, context = points(8)
    standard = from_zuko(flow).condition(context)
    flow.base.law.loc, flow.base.law.scale = flow.base.law.loc + 1, flow.base.law.scale * 2
    z = standard.bijector.inverse(x)
    expected = standard.log_prob(x) + (z.square() / 2 - ((z - 1) / 2).square() / 2 - torch.tensor(2.0).log()).sum(-1)
    assert torch.allclose(from_zuko(flow).condition(context).log_prob(x), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda flow: setattr(flow.transform, "transforms", nn.ModuleList([nn.Linear(2, 2)])), "Linear cannot be imported"),
        (lambda flow: setattr(next(iter(flow.transform.transforms)), "univariate", torch.sin), "the element sin cannot"),
        (lambda flow: setattr(next(iter(flow.transform.transforms)), "order", None), "with an adjacency"),
        (lambda flow: flow.base.__setattr__("law", torch.distributions.Cauchy(0.0, 1.0)), "must be a DiagNormal; got Cauchy"),
    ],
)
def test_what_is_not_known_is_refused(change, message: str) -> None:
    """By name."""
    flow, _ = stand_ins("zuko")["MAF"]
    change(flow)
    with pytest.raises(ValueError, match=message):
        from_zuko(flow)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("zuko") is None, reason="zuko is not installed")
def test_against_zuko_itself() -> None:
    """In another process: importing zuko turns off argument validation."""
    command = [sys.executable, "-m", "tests.probgen.flows.imported.peers", "compare", "zuko"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert len(found) == 2 * len(FLOWS)
    assert max(found.values()) < 1e-10
