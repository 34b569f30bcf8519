"""What a run of the law kit found: cells, examples, skipped values, violations, exemptions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from probgen.distributions.testing.law import LawViolation, Tally

__all__ = ["Cell", "LawReport", "LawsViolated"]


@dataclass(frozen=True)
class Cell:
    """One law on one subject in one dtype and one parameter regime.

    Attributes:
        subject: Name of the object.
        law: Name of the law.
        dtype: "float32" or "float64".
        regime: Name of the parameter regime.
        examples: Generated examples.
        tally: Values compared and skipped.
        violation: What was found, None if the law holds.

    Example:
        >>> from probgen.distributions.testing import Cell, Tally
        >>> print(Cell("Exp", "round_trip", "float64", "as_built", 4, Tally(32)))
        Exp [float64, as_built]: round_trip holds
    """

    subject: str
    law: str
    dtype: str
    regime: str
    examples: int
    tally: Tally
    violation: LawViolation | None = None

    def __str__(self) -> str:
        place = f"{self.subject} [{self.dtype}, {self.regime}]"
        return f"{place}: {self.law} holds" if self.violation is None else f"{place}: {self.violation}"


class LawsViolated(AssertionError):
    """Some laws are violated; the message lists them with their smallest inputs.

    Attributes:
        report: The whole report.

    Example:
        >>> from probgen.distributions.testing import LawReport, LawsViolated
        >>> print(LawsViolated(LawReport()))
        0 (class, law) cells, 0 generated examples, 0.00% of values skipped, 0 violated, 0 exempt
    """

    def __init__(self, report: LawReport) -> None:
        self.report = report
        super().__init__(report.text(failures_only=True))


@dataclass
class LawReport:
    """All cells of a run.

    Attributes:
        cells: One entry for each (law, dtype, regime).
        exemptions: (subject, law, reason) triples that were asked for.

    Example:
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.distributions.testing import check_bijector
        >>> report = check_bijector(Exp(), laws=("round_trip",))
        >>> report.passed, sorted({cell.law for cell in report.cells})
        (True, ['round_trip'])
    """

    cells: list[Cell] = field(default_factory=list)
    exemptions: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def violations(self) -> list[Cell]:
        """The cells in which a law is violated."""
        return [cell for cell in self.cells if cell.violation is not None]

    @property
    def violated_laws(self) -> set[str]:
        """Names of the violated laws."""
        return {cell.law for cell in self.violations}

    @property
    def passed(self) -> bool:
        """Whether no law is violated."""
        return not self.violations

    @property
    def examples(self) -> int:
        """Generated examples over all cells."""
        return sum(cell.examples for cell in self.cells)

    @property
    def skipped_share(self) -> float:
        """Share of compared values that could not be judged."""
        total = sum((cell.tally for cell in self.cells), Tally(0))
        return total.skipped / max(total.compared, 1)

    def add(self, other: LawReport) -> None:
        """Append the cells and exemptions of another report."""
        self.cells.extend(other.cells)
        self.exemptions.extend(other.exemptions)

    def raise_if_violated(self) -> None:
        """Raise if a law is violated.

        Raises:
            LawsViolated: with every violation in its message.
        """
        if not self.passed:
            raise LawsViolated(self)

    def text(self, *, failures_only: bool = False) -> str:
        """The report as text, one cell a paragraph, a summary at the end."""
        chosen: Iterable[Cell] = self.violations if failures_only else self.cells
        return "\n".join([*(str(cell) for cell in chosen), self.summary()])

    def summary(self) -> str:
        """One line: cells, examples, skipped share, exemptions."""
        line = (
            f"{len(self.cells)} (class, law) cells, {self.examples} generated examples, "
            f"{self.skipped_share:.2%} of values skipped, {len(self.violations)} violated, {len(self.exemptions)} exempt"
        )
        return line + "".join(f"\n  exempt: {subject}: {law}: {reason}" for subject, law, reason in self.exemptions)
