"""The case table: every public bijector and distribution, with what it promises. One module per family of classes.

Every module ``tests.cases.*`` defines ``BIJECTORS: dict[str, BijectorCase]``, ``DISTRIBUTIONS: dict[str, DistributionCase]``
or ``NETWORKS: dict[str, Callable[[], IncrementalNetwork]]``, or several of them.
"""

import importlib
import pkgutil
from collections.abc import Callable

from probgen.distributions.bijectors import IncrementalNetwork
from probgen.distributions.testing import BijectorCase, DistributionCase

BIJECTORS: dict[str, BijectorCase] = {}
DISTRIBUTIONS: dict[str, DistributionCase] = {}
NETWORKS: dict[str, Callable[[], IncrementalNetwork]] = {}


def _merge(target: dict, rows: dict) -> None:
    clash = target.keys() & rows.keys()
    if clash:
        raise ValueError(f"the case names {sorted(clash)} are used twice")
    target.update(rows)


for _module in pkgutil.iter_modules(__path__):
    _cases = importlib.import_module(f"{__name__}.{_module.name}")
    _merge(BIJECTORS, getattr(_cases, "BIJECTORS", {}))
    _merge(DISTRIBUTIONS, getattr(_cases, "DISTRIBUTIONS", {}))
    _merge(NETWORKS, getattr(_cases, "NETWORKS", {}))
