"""The book is read from start to end: each derivation names the next one, as the index has them."""

import itertools
import re

import pytest

from tests.repository.tree import ROOT

FOLDER = ROOT / "docs/derivations"
BLOCKS = re.findall(r"```\{toctree\}\n(.*?)```", (FOLDER / "index.md").read_text(encoding="utf-8"), flags=re.DOTALL)
ORDER = [line for block in BLOCKS for line in block.splitlines() if line and not line.startswith(":")]


@pytest.mark.parametrize(("page", "following"), list(itertools.pairwise(ORDER)))
def test_a_derivation_names_the_next_one(page, following):
    last = (FOLDER / f"{page}.md").read_text(encoding="utf-8").rstrip().splitlines()[-1]
    assert re.fullmatch(rf"Next: .*\{{doc\}}`{following}`\.", last), last


def test_a_page_stands_in_the_order_once():
    assert len(ORDER) > 70
    assert len(ORDER) == len(set(ORDER))
