"""The laws of latent-variable models find the bugs that they are for."""

import pytest

from probgen.distributions.testing import laws_marginal
from tests.distributions.testing.planted import assert_found, bugs, name_of

BROKEN = bugs(laws_marginal.LAWS)


def test_there_is_a_bug_for_every_law():
    assert {broken.law for broken in BROKEN} == {law.name for law in laws_marginal.LAWS}


@pytest.mark.parametrize("broken", BROKEN, ids=name_of)
def test_law_finds_the_bug(broken):
    assert_found(broken)
