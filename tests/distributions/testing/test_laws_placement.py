"""The laws of placement find the bugs that they are for."""

import pytest

from probgen.distributions.testing import laws_placement
from tests.distributions.testing.planted import assert_found, bugs, name_of

BROKEN = bugs(laws_placement.LAWS)


def test_there_is_something_to_find():
    assert BROKEN


@pytest.mark.parametrize("broken", BROKEN, ids=name_of)
def test_law_finds_the_bug(broken):
    assert_found(broken)
