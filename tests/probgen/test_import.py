"""`import probgen` is light and changes nothing of torch's or Pyro's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import probgen

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def report():
    command = [sys.executable, "-m", "tests.probgen.import_report"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)


def test_no_setting_and_no_class_of_torch_or_pyro_changes(report):
    assert report["changed"] == []


def test_heavy_packages_wait_until_they_are_used(report):
    assert report["heavy"] == []


def test_packages_are_attributes_and_a_wrong_name_is_an_error():
    assert probgen.infer.save is probgen.save
    assert probgen.infer.load is probgen.load
    with pytest.raises(AttributeError, match="no attribute 'gans'"):
        probgen.gans  # noqa: B018
