"""Every law of incremental networks on every network of the case table; compilation in the longer profiles."""

import pytest

from probgen.distributions.testing import NETWORK_LAWS, current_profile
from tests.cases import NETWORKS

QUICK = current_profile().name == "default"
CHOSEN = [law.name for law in NETWORK_LAWS if not (law.slow and QUICK)]


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_network_obeys_the_laws(name, check_laws):
    check_laws(NETWORKS[name], name=name, laws=CHOSEN, profile=current_profile())


def test_laws_have_statements_and_names_of_their_own():
    assert all(law.statement.endswith(".") and law.kind == "network" for law in NETWORK_LAWS)
    assert len({law.name for law in NETWORK_LAWS}) == len(NETWORK_LAWS)
