"""Every public elementwise bijector that a conditioner can parametrize on the whole real line, found, not listed."""

import inspect

from probgen.distributions import bijectors
from probgen.distributions.bijectors import Elementwise

REAL = "Real()"

# Networks that are inverted numerically: each has a row of its own, one in a coupling and one in an autoregressive map.
COSTLY = ("DenseSigmoid", "IntegralNetwork", "MonotoneNetwork")


def real_elements(*, costly: bool = True) -> dict[str, type[Elementwise]]:
    """Class name to class: real domain and codomain, and something for the conditioner to emit."""
    found = {}
    for name in bijectors.__all__:
        entry = getattr(bijectors, name)
        if name in COSTLY and not costly:
            continue
        if inspect.isclass(entry) and issubclass(entry, Elementwise) and entry is not Elementwise:
            element = entry()
            if repr(element.domain) == repr(element.codomain) == REAL and element.num_free:
                found[name] = entry
    return found
