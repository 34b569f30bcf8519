"""Examples and the README: what is shown runs, and what exists is listed."""

import os
import re
import subprocess
import sys

import pytest

from tests.repository.tree import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
README_BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def run(*arguments, cwd=ROOT):
    """Run Python in a process of its own, warnings shown, figures drawn nowhere."""
    environment = dict(os.environ, MPLBACKEND="Agg", PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_listed(path):
    listing = (ROOT / "examples/README.md").read_text()
    assert f"`{path.name}`" in listing, f"examples/README.md does not list {path.name}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_says_what_it_shows_and_has_a_smoke_mode(path):
    text = path.read_text()
    assert text.startswith(('"""', 'r"""')), f"{path.name} has no module docstring"
    assert "--smoke" in text, f"{path.name} has no --smoke"


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path):
    run(str(path), "--smoke", cwd=tmp_path)


@pytest.mark.parametrize("number", range(len(README_BLOCKS)))
def test_readme_program_runs(number, tmp_path):
    script = tmp_path / "readme.py"
    script.write_text(README_BLOCKS[number])
    run(str(script), cwd=tmp_path)


def test_readme_names_only_targets_that_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    named = {word for words in re.findall(r"`make ([a-z -]+)`|^\$ make ([a-z-]+)", text, flags=re.MULTILINE) for word in words}
    named = {target for words in named for target in words.split()}
    assert named
    assert named <= targets, f"the README names {sorted(named - targets)}, which the Makefile lacks"
