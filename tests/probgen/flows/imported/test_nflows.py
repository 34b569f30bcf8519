"""Flows trained with nflows: the same densities here, from files and, where nflows is installed, from itself."""

import importlib.util
import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from probgen.distributions.bijectors import LULinear
from probgen.flows import from_nflows
from tests.probgen.flows.imported.stand_ins import stand_ins

FLOWS = stand_ins("nflows")


def test_linear_maps_keep_their_matrix() -> None:
    """``L U`` with nflows' entries."""
    flow = FLOWS["MAF"][0]
    layer = flow._transform._transforms
    original = next(module for module in layer if type(module).__name__ == "LULinear")
    lower, upper = torch.eye(4, dtype=torch.float64), torch.zeros(4, 4, dtype=torch.float64)
    lower[tuple(torch.tril_indices(4, 4, -1))] = original.lower_entries.data
    upper[tuple(torch.triu_indices(4, 4, 1))] = original.upper_entries.data
    upper += torch.diag(nn.functional.softplus(original.unconstrained_upper_diag.data) + original.eps)
    ours = [part.base for part in from_nflows(flow).bijector if isinstance(getattr(part, "base", None), LULinear)][-1]
    assert torch.allclose(ours.matrix, lower @ upper)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda flow: setattr(flow, "_transform", nn.Linear(2, 2)), "Linear cannot be imported from nflows"),
        (lambda flow: setattr(flow, "_distribution", nn.Linear(2, 2)), "must be a StandardNormal; got Linear"),
        (lambda flow: setattr(flow, "_embedding_net", nn.Linear(2, 2)), "embedding of its context"),
        (lambda flow: setattr(_layer(flow), "tails", None), "linear tails"),
        (lambda flow: setattr(_layer(flow), "unconditional_transform", nn.Identity()), "unconditional transform"),
        (lambda flow: setattr(_layer(flow).transform_net.blocks[0], "use_batch_norm", True), "batch normalization"),
        (lambda flow: _linear(flow).unconstrained_upper_diag.data.fill_(500.0), "within a factor 100"),
    ],
)
def test_what_is_not_known_is_refused(change, message: str) -> None:
    """By name."""
    flow, _ = stand_ins("nflows")["spline coupling"]
    change(flow)
    with pytest.raises(ValueError, match=message):
        from_nflows(flow)


def test_an_affine_coupling_with_another_scale_is_refused() -> None:
    """nflows has two activations of the scale; an imported flow has the default one."""
    flow, _ = stand_ins("nflows")["affine coupling"]
    couplings = [module for module in flow.modules() if type(module).__name__ == "AffineCouplingTransform"]
    for coupling in couplings:
        coupling.scale_activation = lambda a: torch.sigmoid(a + 2) + 1e-3
    from_nflows(flow)
    couplings[0].scale_activation = lambda a: (nn.functional.softplus(a) + 1e-3).clamp(0, 3)
    with pytest.raises(ValueError, match="another `scale_activation` than the default"):
        from_nflows(flow)


def _layer(flow):
    layer = list(flow._transform._transforms)[2]
    layer.transform_net.blocks = nn.ModuleList(list(layer.transform_net.blocks))
    return layer


def _linear(flow):
    return list(flow._transform._transforms)[1]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("nflows") is None, reason="nflows is not installed")
def test_against_nflows_itself() -> None:
    """In another process, as for zuko."""
    command = [sys.executable, "-m", "tests.probgen.flows.imported.peers", "compare", "nflows"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert len(found) == 2 * len(FLOWS)
    assert max(found.values()) < 1e-10
