"""The table of topics: every id of the course once, with a page, an example and a test that exist."""

import ast
import re

import pytest

from tests.repository.tree import ROOT, parse

PAGE = (ROOT / "docs/curriculum.md").read_text(encoding="utf-8")
COUNTS = {"F": 6, "A": 7, "N": 13, "V": 12, "G": 17, "D": 19}
IDS = [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
COLUMNS = ("id", "topic", "page", "example", "law or test")


def rows(text):
    """The cells of each row that begins with an id."""
    lines = [line for line in text.splitlines() if re.match(r"\| +[A-Z]\d+ +\|", line)]
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines]


ROWS = {cells[0]: cells for cells in rows(PAGE)}


def pages(cell):
    """The documents that a cell links."""
    return re.findall(r"\{doc\}`(?:[^`<]*<)?([\w/-]+)>?`", cell)


def toctree_entries():
    """Every page that some toctree names, as a path from ``docs``."""
    found = set()
    for index in (ROOT / "docs").rglob("*.md"):
        if "_build" not in index.parts:
            for block in re.findall(r"```\{toctree\}\n(.*?)```", index.read_text(encoding="utf-8"), flags=re.DOTALL):
                names = [line for line in block.splitlines() if line and not line.startswith(":")]
                folder = index.parent.relative_to(ROOT / "docs").as_posix()
                found |= {name if folder == "." else f"{folder}/{name}" for name in names}
    return found


def test_every_id_has_one_row():
    assert [cells[0] for cells in rows(PAGE)] == IDS


@pytest.mark.parametrize("name", IDS)
def test_no_cell_is_empty(name):
    assert len(ROWS[name]) == len(COLUMNS)
    assert all(re.search(r"\w", cell) for cell in ROWS[name]), ROWS[name]


def test_an_empty_cell_would_be_found():
    planted = rows("| F1 | a topic | {doc}`choosing` |  | `test_laws.py::test_bijector_obeys_the_laws` |")[0]
    assert len(planted) != len(COLUMNS) or not all(re.search(r"\w", cell) for cell in planted)


@pytest.mark.parametrize("name", IDS)
def test_pages_exist_and_are_listed(name):
    linked = pages(ROWS[name][2])
    assert linked
    for page in linked:
        assert (ROOT / f"docs/{page}.md").exists(), page
        assert page in toctree_entries(), f"{page} stands in no toctree"


@pytest.mark.parametrize("name", IDS)
def test_examples_exist(name):
    named = re.findall(r"`(\w+\.py)`", ROWS[name][3])
    assert named
    missing = [file for file in named if not (ROOT / "examples" / file).exists()]
    assert not missing, missing


@pytest.mark.parametrize("name", IDS)
def test_tests_exist(name):
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", ROWS[name][4])
    assert named
    assert len(named) == ROWS[name][4].count("::")
    for file, function in named:
        tree = parse(ROOT / "tests" / file)
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file}::{function}"
