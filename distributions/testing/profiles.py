"""How thorough a run is: the quick profile of every commit, and the long one.

Both are derandomized: the same code gives the same verdict on every machine, and a failure is a change of behavior. The
profile is named by the environment variable ``PROBGEN_PROFILE`` (or ``HYPOTHESIS_PROFILE``); "default" if neither is set, and
"nightly" is another word for "long".
"""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["PROFILES", "Profile", "current_profile"]


@dataclass(frozen=True)
class Profile:
    """A degree of thoroughness.

    Attributes:
        name: As in ``PROBGEN_PROFILE``.
        examples: Generated examples for each (law, dtype, regime) cell.
        every_cell: True: all dtypes and regimes for each law; False: a subset in which every pair of (law, dtype),
            (law, regime), (dtype, regime) occurs over the rows of a table.
        slow_every: Laws that cost seconds run on every row (1), or on one row in so many.
        samples: Draws of a statistical test.

    Example:
        >>> from probgen.distributions.testing import PROFILES
        >>> PROFILES["long"].every_cell
        True
    """

    name: str
    examples: int
    every_cell: bool
    slow_every: int
    samples: int


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("default", examples=4, every_cell=False, slow_every=6, samples=20_000),
        Profile("full", examples=6, every_cell=True, slow_every=1, samples=50_000),
        Profile("long", examples=12, every_cell=True, slow_every=1, samples=200_000),
    )
}


def current_profile() -> Profile:
    """The profile that the environment names.

    Raises:
        ValueError: it names none of ours.

    Example:
        >>> from probgen.distributions.testing import current_profile
        >>> current_profile().name in ("default", "full", "long")
        True
    """
    name = os.environ.get("PROBGEN_PROFILE") or os.environ.get("HYPOTHESIS_PROFILE") or "default"
    name = "long" if name == "nightly" else name
    if name not in PROFILES:
        raise ValueError(f"PROBGEN_PROFILE must be one of {sorted(PROFILES)}; got {name!r}.")
    return PROFILES[name]
