"""The main job as a script: what it refuses at once, what it leaves behind, and a small run of both data sets."""

import json
import os
import signal
import subprocess
import sys

import pytest
import torch

from probgen.demo import Results, Settings, load_problem
from tests.examples.loading import load
from tests.repository.tree import ROOT


@pytest.fixture(scope="module")
def example():
    return load("demo")


@pytest.fixture
def untrained(example, monkeypatch):
    """The script with a run that does nothing."""
    settings = Settings.smoke()
    monkeypatch.setattr(example, "run", lambda *_, **__: Results(settings, load_problem(settings)))
    return example


def test_an_unknown_name_is_refused_with_the_known_ones(example, capsys):
    with pytest.raises(SystemExit, match="2"):
        example.main(["--data", "letters"])
    message = capsys.readouterr().err
    assert "fashion-mnist" in message
    assert "letters" in message


@pytest.mark.skipif(torch.cuda.is_available(), reason="here the device exists")
def test_a_device_that_is_not_here_is_refused(example):
    with pytest.raises(SystemExit, match="no CUDA"):
        example.main(["--device", "cuda"])


def test_a_folder_is_no_page_and_is_refused_before_training(example, tmp_path, monkeypatch):
    monkeypatch.setattr(example, "run", lambda *_, **__: pytest.fail("it began to train"))
    with pytest.raises(SystemExit, match="--out must name a file"):
        example.main(["--out", str(tmp_path)])
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="demo:"):
        example.main(["--out", str(tmp_path / "file" / "demo.html")])


def test_without_matplotlib_tables_and_figures_are_left(untrained, tmp_path, monkeypatch, capsys):
    def missing(*_):
        raise ImportError("matplotlib is needed for plots")

    monkeypatch.setattr(untrained, "write_page", missing)
    assert untrained.main(["--smoke", "--out", str(tmp_path / "new" / "folder" / "demo.html")]) is None
    assert "no page: matplotlib is needed" in capsys.readouterr().out
    assert json.loads((tmp_path / "new" / "folder" / "demo.json").read_text())["title"].startswith("The five families")


def test_stopped_training_writes_nothing(example, tmp_path, monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    page = tmp_path / "demo.html"
    page.write_text("an older page")
    monkeypatch.setattr(example, "run", stopped)
    with pytest.raises(SystemExit, match="130"):
        example.main(["--smoke", "--out", str(page)])
    assert "stopped" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["demo.html"]
    assert page.read_text() == "an older page"


@pytest.mark.slow
def test_ctrl_c_in_the_middle_of_training(tmp_path):
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    command = [sys.executable, str(ROOT / "examples/demo.py"), "--quiet", "--out", "demo.html"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert b"training images" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert b"nothing was written" in output
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("data", ["digits", "fashion-mnist"])
def test_a_small_run_writes_a_page(example, data, tmp_path):
    pytest.importorskip("matplotlib")
    page = example.main(["--smoke", "--data", data, "--out", str(tmp_path / "demo.html"), "--condition", "A test."])
    assert page.read_text().count("<figure>") > 10
    assert json.loads((tmp_path / "demo.json").read_text())["conditions"][-1] == "A test."
