r"""Run the laws on an object: ``check_bijector`` and what both checks share.

A *cell* is one law on one subject in one dtype and one parameter regime. Laws with drawn inputs run on several generated
examples, found and shrunk by hypothesis; a law that skips more than a tenth of its values fails, because it has then
not been tested.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.distributions import Transform

from probgen.distributions.testing.law import Law, LawViolation, Tally
from probgen.distributions.testing.laws import BIJECTOR_LAWS, LAWS
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.profiles import PROFILES, Profile, current_profile
from probgen.distributions.testing.regimes import REGIMES, Regime, has_parameters
from probgen.distributions.testing.report import Cell, LawReport
from probgen.distributions.testing.strategies import draws
from probgen.distributions.testing.subject import BijectorSubject

__all__ = ["check_bijector", "run_cell"]

MOST_SKIPPED = 0.1
DTYPES = (torch.float32, torch.float64)


def check_bijector(
    bijector: Transform | Callable[[], Transform],
    event_shape: Sequence[int] = (),
    *,
    exempt: Mapping[str, str] | None = None,
    tolerance: float = 1.0,
    laws: Sequence[str] | None = None,
    profile: str | Profile | None = None,
    context_scale: float = 1.0,
    name: str = "",
    strict: bool = True,
) -> LawReport:
    """Check a bijector against all laws that apply to it.

    Args:
        bijector: A bijector (or torch transform), or a function that builds a fresh one from torch's global seed. With the
            function, laws about restoring a state into another object have a truly different object to restore into.
        event_shape: Shape of one event of ``x``; () for elementwise maps.
        exempt: Law name to reason, for laws that do not apply; printed with the report.
        tolerance: Factor on every numerical tolerance.
        laws: Names of the laws to run; all by default.
        profile: "default" (every pair of law, dtype and regime somewhere), "full" (every cell), "long"; a ``Profile``; None:
            every cell with the examples of the profile that the environment names.
        context_scale: Standard deviation of the contexts that are tried.
        name: For the report.
        strict: Raise if a law is violated.

    Returns:
        The report.

    Raises:
        LawsViolated: laws are violated and ``strict`` is True; the message shows each with its smallest input.
        KeyError: ``exempt`` or ``laws`` names a law that does not exist.

    Example:
        >>> from probgen.distributions.bijectors import Affine
        >>> from probgen.distributions.testing import check_bijector
        >>> report = check_bijector(lambda: Affine(shape=(2,)), laws=("round_trip", "log_det_matches_autograd"))
        >>> report.passed
        True
    """
    make = bijector if not isinstance(bijector, Transform) else _copier(bijector)
    exempt = dict(exempt or {})
    chosen = chosen_laws(laws, exempt, BIJECTOR_LAWS)
    probe = BijectorSubject(make, tuple(event_shape), name=name)

    def subject_of(dtype: torch.dtype, regime: Regime) -> BijectorSubject:
        return BijectorSubject(
            make,
            tuple(event_shape),
            dtype=dtype,
            regime=regime,
            tolerance=tolerance,
            name=probe.name,
            context_scale=context_scale,
        )

    plan = named_profile(profile)
    cells = cells_of(chosen, regimes_of(has_parameters(probe.bijector)), plan, probe.name)
    return report_on(cells, subject_of, plan, probe.name, exempt, strict=strict)


def report_on(
    cells: Iterator[tuple[Law, torch.dtype, Regime]],
    subject_of: Callable[[torch.dtype, Regime], Any],
    profile: Profile,
    name: str,
    exempt: Mapping[str, str],
    *,
    strict: bool,
) -> LawReport:
    """Run the cells of one row; what every check ends with.

    Args:
        cells: Laws with the dtype and regime in which each runs.
        subject_of: The object in a dtype and regime.
        profile: How many examples.
        name: For the report.
        exempt: Law name to reason.
        strict: Raise if a law is violated.

    Raises:
        LawsViolated: laws are violated and ``strict`` is True.
    """
    report = LawReport(exemptions=[(name, law, reason) for law, reason in exempt.items()])
    for law, dtype, regime in cells:
        subject = subject_of(dtype, regime)
        if law.applies(subject):
            report.cells.append(run_cell(law, subject, profile, subject.special))
    if strict:
        report.raise_if_violated()
    return report


def regimes_of(moved: object) -> tuple[Regime, ...]:
    """The regimes in which an object is tried: one, if nothing in it can be moved."""
    return tuple(REGIMES.values()) if moved else (REGIMES["as_built"],)


def run_cell(law: Law, subject: Any, profile: Profile, special: Sequence[float] = ()) -> Cell:
    """Run one law on one subject.

    Args:
        law: The law.
        subject: The object in its dtype and regime.
        profile: How many examples.
        special: Exact values that may be put into the inputs.

    Returns:
        The cell, with the violation if there is one.

    Example:
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.distributions.testing import LAWS, PROFILES, BijectorSubject, run_cell
        >>> run_cell(LAWS["round_trip"], BijectorSubject(Exp), PROFILES["default"]).violation is None
        True
    """
    counted: list[Tally] = []

    def once(draw: Draw) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw.seed)
            counted.append(law.check(subject, draw))

    violation: LawViolation | None = None
    try:
        if law.scales:
            _generate(once, law, profile, special)
        else:
            once(Draw(seed=11, scale=1.0))
    except LawViolation as found:
        violation = found
    tally = sum(counted, Tally(0))
    if violation is None and tally.skipped > MOST_SKIPPED * max(tally.compared, 1):
        violation = LawViolation(
            law.name, "all inputs", f"at most {MOST_SKIPPED:.0%} skipped", f"{tally.skipped} of {tally.compared}"
        )
    return Cell(
        subject.name, law.name, str(subject.dtype).removeprefix("torch."), subject.regime.name, len(counted), tally, violation
    )


def _generate(once: Callable[[Draw], None], law: Law, profile: Profile, special: Sequence[float]) -> None:
    """Let hypothesis draw the examples; what escapes is the violation at the smallest one."""
    strategy = draws(law.scales, special)
    import hypothesis

    settings = hypothesis.settings(
        max_examples=profile.examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
    )
    try:
        settings(hypothesis.given(strategy)(once))()
    except hypothesis.errors.Flaky as flaky:
        found = [error for error in getattr(flaky, "exceptions", ()) if isinstance(error, LawViolation)]
        raise (found[0] if found else LawViolation(law.name, "repeated calls", "the same verdict", str(flaky))) from flaky


def cells_of(
    laws: Sequence[Law],
    regimes: Sequence[Regime],
    profile: Profile,
    name: str,
    dtypes: Sequence[torch.dtype] | None = None,
) -> Iterator[tuple[Law, torch.dtype, Regime]]:
    """The cells of one row: all, or for each law one whose place turns with the law and the row.

    A slow law (compilation, export) runs in each dtype, in a regime that turns: what it looks at is the graph, and that doesn't
    depend on the values of parameters.
    """
    row = zlib.crc32(name.encode())
    kinds = list(dtypes or DTYPES)
    combinations = [(dtype, regime) for regime in regimes for dtype in kinds]
    for index, law in enumerate(laws):
        if law.slow and row % profile.slow_every:
            continue
        if law.once:
            yield law, combinations[-1][0], regimes[0]
        elif profile.every_cell and law.slow:
            for place, dtype in enumerate(kinds):
                yield law, dtype, regimes[(index + row + place) % len(regimes)]
        elif profile.every_cell:
            for dtype, regime in combinations:
                yield law, dtype, regime
        else:
            yield law, *combinations[(index + row) % len(combinations)]


def chosen_laws(names: Sequence[str] | None, exempt: Mapping[str, str], known: Sequence[Law]) -> list[Law]:
    for wanted in (*(names or ()), *exempt):
        if wanted not in LAWS:
            raise KeyError(f"there is no law called {wanted!r}; the laws are {sorted(LAWS)}.")
    return [law for law in known if law.name not in exempt and (names is None or law.name in names)]


def named_profile(profile: str | Profile | None) -> Profile:
    if isinstance(profile, Profile):
        return profile
    if profile is not None:
        return PROFILES[profile]
    named = current_profile()
    return Profile(named.name, named.examples, every_cell=True, slow_every=1, samples=named.samples)


def _copier(bijector: Transform) -> Callable[[], Transform]:
    """Copies of one object whose parameters are redrawn for a seed other than zero, so that loading a state matters."""

    def make() -> Transform:
        if not isinstance(bijector, nn.Module):
            return bijector
        twin = copy.deepcopy(bijector)
        if torch.initial_seed() != 0:
            for parameter in twin.parameters():
                parameter.data.add_(0.1 * torch.randn_like(parameter))
        return twin

    return make
