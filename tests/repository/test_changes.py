"""Change fragments: named as towncrier expects, one sentence or two for users."""

import re
import subprocess
import sys
import tomllib

import pytest

from tests.repository.tree import ROOT

FOLDER = ROOT / "docs/changes"
FRAGMENTS = sorted(path for path in FOLDER.rglob("*") if path.is_file() and path.name not in ("README.md", "template.jinja"))
TOWNCRIER = tomllib.loads((ROOT / "towncrier.toml").read_text())["tool"]["towncrier"]
KINDS = [kind["directory"] for kind in TOWNCRIER["type"]]
SECTIONS = [section["path"] for section in TOWNCRIER["section"]]


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_fragment_is_named_and_written_for_users(path):
    pattern = rf"(\d+|\+[a-z0-9][a-z0-9-]*)\.({'|'.join(KINDS)})(\.\d+)?\.md"
    assert re.fullmatch(pattern, path.name), f"{path.name}: name it <issue>.<kind>.md or +<topic>.<kind>.md, kinds {KINDS}"
    folder = path.parent.relative_to(FOLDER).as_posix().removeprefix(".")
    assert folder in SECTIONS, f"{path}: towncrier reads the folders {SECTIONS} only"
    text = path.read_text(encoding="utf-8").strip()
    assert text.endswith((".", ")", "`")), f"{path.name}: write a sentence"
    assert len(text) <= 600, f"{path.name}: one sentence for users; the details belong to the documentation"
    assert not text.startswith(("-", "*", "#")), f"{path.name}: no list, no heading"


def test_the_rules_are_written_down():
    readme = (ROOT / "docs/changes/README.md").read_text()
    assert all(f"`{name}`" in readme for name in [*KINDS, *filter(None, SECTIONS)])


def test_a_release_note_can_be_built():
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "1.2.3"]
    note = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in FRAGMENTS:
        assert path.read_text(encoding="utf-8").strip().splitlines()[0] in note, f"{path} is not in the note"
