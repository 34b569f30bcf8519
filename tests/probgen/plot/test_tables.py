"""Tables line up."""

import pytest

from probgen.plot import table


def test_columns_line_up():
    lines = table(["a", "longer"], [["xyz", 1.0], ["q", "text"]]).splitlines()
    assert [line.index(word) for line, word in zip(lines, ["longer", "1", "text"], strict=True)] == [5, 5, 5]


def test_markdown():
    assert table(["a"], [["b"]], markdown=True) == "| a |\n| - |\n| b |"


def test_pipes_in_cells_of_markdown():
    plain, marked = (table(["law", "nats"], [["p(x | z)", 1.0]], markdown=markdown) for markdown in (False, True))
    assert plain.endswith("p(x | z)  1")
    assert marked.endswith(r"| p(x \| z) | 1    |")


def test_ragged_rows():
    with pytest.raises(ValueError, match="2 cells"):
        table(["a", "b"], [["c"]])
