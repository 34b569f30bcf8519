"""The threshold of branches is a threshold."""

import pytest

from tests.repository.branches import verdict


@pytest.mark.parametrize(("taken", "enough"), [(95, True), (94, False)])
def test_the_share_of_branches_decides(taken, enough):
    files = {"a.py": {"summary": {"missing_branches": 100 - taken}}, "b.py": {"summary": {"missing_branches": 0}}}
    passed, text = verdict({"totals": {"covered_branches": taken, "num_branches": 100}, "files": files})
    assert passed is enough
    assert text.splitlines() == [
        f"{taken}.0 % of 100 branches are taken by tests; 95 % are wanted",
        f"{100 - taken:5d} not taken in a.py",
    ]
