"""The wheel holds the mathematics: ``probgen/distributions`` is a link in the tree and a folder in the wheel."""

import os
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tests.repository.tree import ROOT, relative, source_files


def build(kind, folder):
    """Build from a copy of the tree, so that no build folder appears in it."""
    tree = folder / "tree"
    if not tree.exists():
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
        ).stdout
        for name in filter(None, listed.decode().split("\0")):
            source, target = ROOT / name, tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_symlink():
                target.symlink_to(os.readlink(source))
            elif source.is_file():
                target.write_bytes(source.read_bytes())
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(folder / "out"), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return next((folder / "out").glob("*.whl" if kind == "wheel" else "*.tar.gz"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if not (ROOT / ".git").exists():
        pytest.skip("building needs the repository")
    return tmp_path_factory.mktemp("package")


def expected():
    """The path inside the package of each source file."""
    paths = [relative(path) for path in source_files()]
    return {path if path.startswith("probgen/") else f"probgen/{path}" for path in paths}


def test_wheel_holds_every_source_file_and_the_data(folder):
    with zipfile.ZipFile(build("wheel", folder)) as archive:
        names = set(archive.namelist())
    assert not expected() - names, f"missing from the wheel: {sorted(expected() - names)}"
    assert "probgen/py.typed" in names
    listed = subprocess.run(["git", "ls-files", "-z", "probgen"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    data = {name for name in listed.split("\0") if (ROOT / name).is_file() and not name.endswith(".py")}
    assert any(name.endswith(".safetensors") for name in data)
    assert data <= names, f"missing from the wheel: {sorted(data - names)}"
    assert not [name for name in names if name.startswith(("tests/", "distributions/", "docs/"))]


def test_sdist_holds_the_mathematics(folder):
    with tarfile.open(build("sdist", folder)) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert "distributions/bijectors/base.py" in names or "probgen/distributions/bijectors/base.py" in names
    assert "setup.cfg" in names
