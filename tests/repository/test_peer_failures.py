"""The page of peers' failures and the tests: each that is named exists, each that exists is named."""

import ast
import re

import pytest

from probgen.distributions.testing import LAWS
from tests.repository.tree import ROOT, parse

PAGE = (ROOT / "docs/guides/peers-failures.md").read_text(encoding="utf-8")
FOLDER = "tests/peer_failures/"
NAMED = sorted(set(re.findall(r"`((?:tests/)?[\w/]+\.py::\w+)`", PAGE)))
NAMED_LAWS = sorted({law for cell in re.findall(r"laws? (`\w+`(?:, `\w+`)*)", PAGE) for law in re.findall(r"`(\w+)`", cell)})


def functions_of(path):
    """Names of the test functions of a file."""
    return [node.name for node in parse(path).body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


@pytest.mark.parametrize("name", NAMED)
def test_a_named_test_exists(name):
    file, function = (name if name.startswith("tests/") else FOLDER + name).split("::")
    assert function in functions_of(ROOT / file)


@pytest.mark.parametrize("name", NAMED_LAWS)
def test_a_named_law_exists(name):
    assert name in LAWS


def test_every_test_is_on_the_page():
    existing = {f"{path.name}::{name}" for path in (ROOT / FOLDER).glob("test_*.py") for name in functions_of(path)}
    assert len(existing) > 40
    assert existing <= set(NAMED), f"not on the page: {sorted(existing - set(NAMED))}"


def test_every_failure_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| what", "| ---"))]
    assert len(rows) > 40
    missing = [row for row in rows if "::" not in row.split(" | ")[-1]]
    assert not missing, missing


def test_each_test_says_what_the_peer_does():
    for path in (ROOT / FOLDER).glob("test_*.py"):
        for node in parse(path).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node), f"{path.name}::{node.name} has no docstring"
