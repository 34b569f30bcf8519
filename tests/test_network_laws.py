"""Every law of incremental networks on every network of the case table."""

import pytest
import torch

from probgen.distributions.testing import incremental_matches_parallel, levels_are_parallel, states_do_not_mix
from tests.cases import NETWORKS


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_network_obeys_the_laws(name):
    network = NETWORKS[name]().double()
    values, other = torch.randn(2, 4, network.features * network.num_inputs).double()
    context = None if network.context_shape is None else torch.randn(4, *network.context_shape).double()
    incremental_matches_parallel(network, values, context, tolerance=1e-10)
    levels_are_parallel(network, values, context)
    states_do_not_mix(network, values, other, context)
