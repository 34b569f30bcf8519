"""The fixture and the summary, in a pytest run of their own."""

import subprocess
import sys
import textwrap

from probgen.distributions.testing.plugin import CheckLaws, check_laws, pytest_terminal_summary

TEST = """
from probgen.distributions.bijectors import Affine, Exp
from probgen.distributions import standard_normal

def test_one_line(check_laws):
    check_laws(lambda: Affine(shape=(2,)), laws=("round_trip",), exempt={"exports": "not today"})

def test_distribution(check_laws):
    check_laws(lambda: standard_normal(2), laws=("same_seed_same_sample",))
"""


def test_summary_counts_cells_and_lists_exemptions(tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["probgen.distributions.testing.plugin"]\n')
    (tmp_path / "test_mine.py").write_text(textwrap.dedent(TEST))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert "2 passed" in result.stdout, result.stdout + result.stderr
    assert "7 (class, law) cells" in result.stdout
    assert "exempt: Affine: exports: not today" in result.stdout


def test_fixture_is_public():
    assert all(map(callable, (check_laws, pytest_terminal_summary, CheckLaws)))
