"""Change fragments: named as towncrier expects, one sentence or two for users."""

import re
import tomllib

import pytest

from tests.repository.tree import ROOT

FRAGMENTS = sorted(path for path in (ROOT / "docs/changes").iterdir() if path.name != "README.md")
KINDS = [kind["directory"] for kind in tomllib.loads((ROOT / "towncrier.toml").read_text())["tool"]["towncrier"]["type"]]


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_fragment_is_named_and_written_for_users(path):
    pattern = rf"(\d+|\+[a-z0-9][a-z0-9-]*)\.({'|'.join(KINDS)})(\.\d+)?\.md"
    assert re.fullmatch(pattern, path.name), f"{path.name}: name it <issue>.<kind>.md or +<topic>.<kind>.md, kinds {KINDS}"
    text = path.read_text(encoding="utf-8").strip()
    assert text.endswith((".", ")", "`")), f"{path.name}: write a sentence"
    assert len(text) <= 600, f"{path.name}: one sentence for users; the details belong to the documentation"
    assert not text.startswith(("-", "*", "#")), f"{path.name}: no list, no heading"


def test_the_rules_are_written_down():
    readme = (ROOT / "docs/changes/README.md").read_text()
    assert all(f"`{kind}`" in readme for kind in KINDS)
