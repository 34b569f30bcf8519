"""The laws of a network as an object find networks that break them."""

import pytest
import torch
from torch import nn

from probgen.distributions.testing import NetworkSubject, check_network
from probgen.distributions.testing.laws_network_object import network_compiles_whole
from probgen.distributions.testing.points import Draw
from probgen.nn import MADE
from probgen.nn.causal import RecomputingNetwork


class OneBatch(MADE):
    """Only rows in one batch dimension."""

    def forward(self, values, context=None):
        return super().forward(values.reshape(-1, self.features), context)


class Double(MADE):
    """Parameters in one dtype whatever the weights have."""

    def forward(self, values, context=None):
        return super().forward(values, context).double()


class Branching(MADE):
    """Looks at the values."""

    def forward(self, values, context=None):
        params = super().forward(values, context)
        return params if values.sum() > -1e9 else 2 * params


class Idle(MADE):
    """A parameter that nothing uses."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.idle = nn.Parameter(torch.zeros(3))


class Forgetful(MADE):
    """A tensor of its own that no state_dict knows."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.shift = torch.randn(())

    def forward(self, values, context=None):
        return super().forward(values, context) + self.shift.to(values)


class Careless(nn.Module):
    """Takes the first values of as many as come."""

    def __init__(self):
        super().__init__()
        self.made = MADE(3, 2, hidden=(8,))

    def forward(self, values):
        return self.made(values[..., :3])


def careless():
    return RecomputingNetwork(Careless(), 3, 2)


FAULTS = {
    "network_broadcasts_over_batches": OneBatch,
    "network_dtype_is_kept": Double,
    "network_vmap_equals_batch": Branching,
    "network_parameters_get_gradients": Idle,
    "network_copies_and_restores": Forgetful,
    "wrong_network_inputs_raise": None,
}


@pytest.mark.parametrize("law", FAULTS)
def test_broken_networks_are_found(law):
    make = careless if FAULTS[law] is None else lambda: FAULTS[law](3, 2, hidden=(8,))
    report = check_network(make, laws=[law], strict=False)
    assert report.violated_laws == {law}
    assert check_network(lambda: MADE(3, 2, hidden=(8,), context_features=2), laws=[law]).passed


@pytest.mark.slow
def test_a_network_that_looks_at_values_is_not_compiled_whole():
    subject = NetworkSubject(lambda: MADE(3, 2, hidden=(8,)))
    assert network_compiles_whole.check(subject, Draw()).skipped == 0
    with pytest.raises(AssertionError, match="network_compiles_whole"):
        network_compiles_whole.check(NetworkSubject(lambda: Branching(3, 2, hidden=(8,))), Draw())


def test_a_subject_makes_what_the_network_takes():
    subject = NetworkSubject(lambda: MADE(3, 2, hidden=(8,), num_inputs=2, context_features=4), dtype=torch.float32)
    assert subject.values(Draw(), (2, 5)).shape == (2, 5, 6)
    assert subject.context(Draw(), (2,)).shape == (2, 4)
    assert subject.values(Draw(), ()).dtype == torch.float32
    assert not subject.network.training
    assert NetworkSubject(lambda: MADE(3, 2, hidden=(8,))).context(Draw(), (2,)) is None
