"""The list of errata: each row names a topic, links pages that exist, and quotes numbers that its pages compute."""

import re

import pytest

from tests.repository.test_curriculum import IDS
from tests.repository.tree import ROOT

FOLDER = ROOT / "docs/derivations"
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    for line in (FOLDER / "errata.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| [A-Z]\d+ \|", line)
]


def linked(row):
    """The text of the pages of a row."""
    return "".join((FOLDER / f"{page}.md").read_text(encoding="utf-8") for page in re.findall(r"\{doc\}`([\w-]+)`", row[1]))


def test_rows_stand_in_the_order_of_the_topics():
    assert len(ROWS) >= 43
    assert [row[0] for row in ROWS] == sorted((row[0] for row in ROWS), key=IDS.index)


@pytest.mark.parametrize("number", range(len(ROWS)), ids=lambda number: f"{number}-{ROWS[number][0]}")
def test_an_erratum_is_computed_on_its_page(number):
    row = ROWS[number]
    assert len(row) == 5
    assert all(row), "every cell is filled"
    text = linked(row)
    assert "assert " in text
    quoted = re.findall(r"\d+\.\d+", row[4])
    absent = [figure for figure in quoted if figure not in text]
    assert not absent, f"{row[1]} does not compute {absent}"
