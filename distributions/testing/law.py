r"""What a law is: a named statement about an object, and a check that finds where it is false.

A law never says only "failed". It raises a :class:`LawViolation` that holds the law, the smallest input it knows, the value
that the statement asks for and the value that came. A check returns a :class:`Tally`: how many values it compared, and how
many it had to leave out because no floating-point result could be judged there (see ``conditioning.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

__all__ = ["Law", "LawViolation", "Tally", "always", "define_law", "require_equal"]

Kind = Literal["bijector", "distribution", "network"]

CORE_SCALES = (0.0, 1.0, 3.0)


class LawViolation(AssertionError):
    """A law is false for one input.

    Attributes:
        law: Name of the law.
        where: The smallest input found, as text or tensor.
        expected: What the law asks for.
        got: What came.

    Example:
        >>> from probgen.distributions.testing import LawViolation
        >>> print(LawViolation("round_trip", where=1.0, expected=1.0, got=1.5))
        round_trip is violated
          input     1.0
          expected  1.0
          got       1.5
    """

    def __init__(self, law: str, where: object = None, expected: object = None, got: object = None) -> None:
        self.law, self.where, self.expected, self.got = law, where, expected, got
        super().__init__(law, where, expected, got)

    def __str__(self) -> str:
        rows = (("input", self.where), ("expected", self.expected), ("got", self.got))
        return f"{self.law} is violated" + "".join(f"\n  {name:<9} {_text(value)}" for name, value in rows)


@dataclass(frozen=True)
class Tally:
    """How many values a check compared, and how many of them it skipped.

    Attributes:
        compared: Values (elements, or whole objects for structural laws) that were looked at.
        skipped: Those among them that could not be judged.

    Example:
        >>> from probgen.distributions.testing import Tally
        >>> Tally(10) + Tally(10, skipped=1)
        Tally(compared=20, skipped=1)
    """

    compared: int = 1
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.compared + other.compared, self.skipped + other.skipped)


def always(subject: Any) -> bool:
    """Return True: the law applies to everything.

    Args:
        subject: Anything.

    Example:
        >>> from probgen.distributions.testing.law import always
        >>> always(None)
        True
    """
    return True


@dataclass(frozen=True)
class Law:
    """A named law.

    Attributes:
        name: Descriptive name, used in reports and exemptions.
        id: Row of the property catalogue, for example "R1".
        statement: One sentence of mathematics that a reader understands without the code.
        kind: Whether it speaks about bijectors, distributions or incremental networks.
        run: ``run(subject, draw) -> Tally``; raises ``LawViolation``.
        applies: Whether the law speaks about the subject at all.
        scales: Standard deviations from which unconstrained inputs are drawn; empty: the law chooses its own inputs and
            runs once for each cell.
        slow: True if one check costs seconds (compilation, training steps).
        once: True if dtype and parameter regime don't matter.
        false_alarm: Probability at most with which one check of a true object fails by chance; 0 unless it is statistical.

    Example:
        >>> from probgen.distributions.testing import LAWS
        >>> LAWS["round_trip"].id
        'R1'
    """

    name: str
    id: str
    statement: str
    kind: Kind
    run: Callable[[Any, Any], Tally]
    applies: Callable[[Any], bool] = always
    scales: tuple[float, ...] = CORE_SCALES
    slow: bool = False
    once: bool = False
    false_alarm: float = 0.0

    def check(self, subject: Any, draw: Any) -> Tally:
        """Run the law on one subject and one draw.

        Raises:
            LawViolation: the statement is false there, or evaluating it raised.
        """
        try:
            return self.run(subject, draw)
        except LawViolation as violation:
            if violation.law == self.name:
                raise
            raise LawViolation(self.name, violation.where, violation.expected, violation.got) from violation
        except Exception as error:  # a crash inside a law is a finding about the subject, and is reported as one
            raise LawViolation(self.name, draw, "no exception", f"{type(error).__name__}: {error}") from error


def define_law(
    id: str,
    statement: str,
    *,
    kind: Kind = "bijector",
    applies: Callable[[Any], bool] = always,
    scales: tuple[float, ...] = CORE_SCALES,
    slow: bool = False,
    once: bool = False,
    false_alarm: float = 0.0,
) -> Callable[[Callable[[Any, Any], Tally]], Law]:
    """Turn a function ``run(subject, draw) -> Tally`` into a law of the same name.

    Args:
        id: Row of the property catalogue.
        statement: One sentence.
        kind: "bijector", "distribution" or "network".
        applies: Whether the law speaks about a subject.
        scales: As in ``Law``.
        slow: As in ``Law``.
        once: As in ``Law``.
        false_alarm: As in ``Law``.

    Example:
        >>> from probgen.distributions.testing import Tally, define_law
        >>> @define_law("X1", "The map is callable.")
        ... def callable_map(subject, draw):
        ...     return Tally()
        >>> callable_map.name
        'callable_map'
    """

    def wrap(run: Callable[[Any, Any], Tally]) -> Law:
        return Law(run.__name__, id, statement, kind, run, applies, scales, slow, once, false_alarm)

    return wrap


def require_equal(law: str, got: Tensor, expected: Tensor, where: object, *, tolerance: Tensor | float = 0.0) -> Tally:
    """Compare two tensors element by element; equal infinities and equal NaN are equal.

    Args:
        law: Name for the report.
        got: What came.
        expected: What the law asks for, same shape.
        where: The input; if it is a tensor whose leading shape is that of ``got``, the report shows only the failing point.
        tolerance: Absolute tolerance, broadcastable.

    Raises:
        LawViolation: shape, dtype or some element differs.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing.law import require_equal
        >>> require_equal("identity", torch.ones(2), torch.ones(2), where="two ones")
        Tally(compared=2, skipped=0)
    """
    if got.shape != expected.shape or got.dtype != expected.dtype:
        raise LawViolation(law, _brief(where), f"{_kind(expected)}", f"{_kind(got)}")
    same = (got == expected) | (got.isnan() & expected.isnan())
    close = same if got.dtype == torch.bool else same | ((got - expected).abs() <= tolerance)
    if not bool(close.all()):
        index = _smallest(~close, where)
        raise LawViolation(law, _at(where, index), expected[index], got[index])
    return Tally(max(got.numel(), 1))


def _kind(value: Tensor) -> str:
    return f"shape {tuple(value.shape)} of {value.dtype}"


def _brief(where: object) -> object:
    return _kind(where) if isinstance(where, Tensor) and where.numel() > 16 else where


def _smallest(bad: Tensor, where: object) -> tuple[int, ...]:
    """Index of the failing element whose input is smallest in norm."""
    places = bad.nonzero()
    if isinstance(where, Tensor) and len(places):
        norms = torch.stack([torch.as_tensor(_at(where, tuple(place.tolist()))).double().norm() for place in places[:64]])
        return tuple(places[int(norms.argmin())].tolist())
    return tuple(places[0].tolist())


def _at(where: object, index: tuple[int, ...]) -> object:
    """The part of an input that belongs to one element of an output."""
    if not isinstance(where, Tensor):
        return where
    for depth, position in enumerate(index):
        if (where.dim() <= 1 and depth > 0) or where.dim() == 0:
            break
        if position >= where.shape[0]:
            break
        where = where[position]
    return where


def _text(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{value.detach().cpu().tolist()} ({value.dtype})" if value.numel() <= 16 else _kind(value)
    return str(value)
