"""One tiny run of the demo, shared by the tests of what it shows."""

from dataclasses import replace

import pytest

from probgen.demo import Settings, run


@pytest.fixture(scope="package")
def lines():
    return []


@pytest.fixture(scope="package")
def results(lines):
    return run(replace(Settings.smoke(), steps=2, toys=1, samples=50), report=lines.append, progress=False)
