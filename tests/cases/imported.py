"""Cases of elements and networks of flows that were trained with other libraries."""

from torch import nn

from probgen.distributions.bijectors import Coupling, MaskedAutoregressive, half_mask
from probgen.distributions.testing import BijectorCase
from probgen.flows import ImportedAffine, ImportedSpline, ReevaluatedNetwork
from probgen.flows.imported.networks import MaskedLayer
from probgen.nn import MLP


def _masked() -> ReevaluatedNetwork:
    first, last = nn.Linear(3, 6), nn.Linear(6, 6)
    first.mask = (first.weight.new_tensor([0, 0, 0, 1, 1, 1])[:, None] >= first.weight.new_tensor([0, 1, 2])).float()
    last.mask = (last.weight.new_tensor([0, 0, 1, 1, 2, 2])[:, None] > last.weight.new_tensor([0, 0, 0, 1, 1, 1])).float()
    network = nn.Sequential(MaskedLayer(first), nn.Tanh(), MaskedLayer(last))
    return ReevaluatedNetwork(network, ((0,), (1,), (2,)), num_outputs=2)


BIJECTORS = {
    "Coupling(ImportedAffine)": BijectorCase(
        lambda: Coupling(ImportedAffine("nflows coupling"), MLP(1, 4, hidden=(8,), activation=nn.Tanh), half_mask(3)), (3,)
    ),
    "Coupling(ImportedSpline)": BijectorCase(
        lambda: Coupling(ImportedSpline("zuko", 4), MLP(1, 11, hidden=(8,), activation=nn.Tanh), half_mask(2)), (2,)
    ),
    "MaskedAutoregressive(ImportedAffine)": BijectorCase(
        lambda: MaskedAutoregressive(ImportedAffine("zuko"), _masked(), parallel="forward"), (3,)
    ),
}

NETWORKS = {"ReevaluatedNetwork": _masked}
