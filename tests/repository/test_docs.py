"""The pages: derivations assert what they derive, code fits the column, nothing needs a network."""

import re

import pytest

from tests.repository.tree import ROOT, relative

PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts and "_static" not in path.parts)
DERIVATIONS = [path for path in PAGES if path.parent.name == "derivations" and path.stem not in ("index", "errata")]


def cells(path):
    """The code of a page's cells."""
    return re.findall(r"```\{code-cell\}[^\n]*\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("path", DERIVATIONS, ids=relative)
def test_derivation_states_proves_and_asserts(path):
    text = path.read_text(encoding="utf-8")
    assert re.search(r"\} (Theorem|Proposition)", text), "a derivation states a theorem"
    assert "**Proof.**" in text, "and proves it"
    assert sum(cell.count("assert ") for cell in cells(path)) >= 3, "and asserts it numerically"


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_code_fits_the_column(path):
    long = [line for cell in cells(path) for line in cell.splitlines() if len(line) > 88]
    assert not long, long


@pytest.mark.parametrize("path", [path for path in PAGES if path.parent.name == "derivations"], ids=relative)
def test_derivation_is_listed(path):
    if path.stem != "index":
        assert f"\n{path.stem}\n" in (ROOT / "docs/derivations/index.md").read_text()


def test_formulas_need_no_network():
    assert (ROOT / "docs/_static/mathjax/tex-svg.js").stat().st_size > 1_000_000
    assert 'mathjax_path = "mathjax/tex-svg.js"' in (ROOT / "docs/conf.py").read_text()
