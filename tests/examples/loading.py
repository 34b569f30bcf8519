"""Examples are scripts, not a package: a test that needs their functions loads the file."""

import importlib.util

from tests.repository.tree import ROOT


def load(name):
    """The module of ``examples/NAME.py``; its program does not run."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"examples/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
