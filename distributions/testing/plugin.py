"""A pytest plugin: one line tests a bijector or a distribution by all laws, and the summary says what was covered.

In ``conftest.py`` at the root of your project::

    pytest_plugins = ["probgen.distributions.testing.plugin"]

and in a test::

    def test_my_bijector(check_laws):
        check_laws(MyBijector(3), event_shape=(3,))

The terminal summary prints the number of (class, law) cells, the number of generated examples, the share of skipped values and
every exemption with its reason, also when the tests run in several processes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn
from torch.distributions import Distribution, Transform

from probgen.distributions.bijectors.incremental import IncrementalNetwork
from probgen.distributions.testing.check import check_bijector
from probgen.distributions.testing.report import LawReport

__all__ = ["CheckLaws", "check_laws", "pytest_terminal_summary"]

PROPERTY = "probgen_laws"
CheckLaws = Callable[..., LawReport]


@pytest.fixture
def check_laws(request: pytest.FixtureRequest) -> CheckLaws:
    """The function ``check_laws(subject, ...)``: ``check_bijector`` or its like, with its counts in the summary.

    It takes a bijector, a torch transform, a distribution, an incremental network, or a function that builds one; the other
    arguments are those of the check. It raises ``LawsViolated`` like the check.

    Example:
        >>> from probgen.distributions.testing.plugin import check_laws
        >>> callable(check_laws)
        True
    """

    def run(subject: Any, *args: Any, **kwargs: Any) -> LawReport:
        built = subject if isinstance(subject, (Transform, Distribution, nn.Module)) else subject()
        check: Callable[..., LawReport]
        if isinstance(built, Transform):
            check = check_bijector
        elif isinstance(built, IncrementalNetwork):
            from probgen.distributions.testing.check_network import check_network

            check = check_network
        else:
            from probgen.distributions.testing.check_distribution import check_distribution

            check = check_distribution
        report = check(subject, *args, **{**kwargs, "strict": False})
        request.node.user_properties.append((PROPERTY, _counts(report)))
        if kwargs.get("strict", True):
            report.raise_if_violated()
        return report

    return run


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the totals of all law checks of the session.

    Args:
        terminalreporter: Pytest's reporter.

    Example:
        >>> from types import SimpleNamespace
        >>> from probgen.distributions.testing.plugin import pytest_terminal_summary
        >>> print(pytest_terminal_summary(SimpleNamespace(stats={})))
        None
    """
    found = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == PROPERTY and getattr(report, "when", "") == "call"
    ]
    if not found:
        return
    total = {key: sum(value[key] for value in found) for key in ("cells", "examples", "compared", "skipped", "violated")}
    exemptions = sorted({tuple(entry) for value in found for entry in value["exemptions"]})
    terminalreporter.section("laws")
    terminalreporter.write_line(
        f"{total['cells']} (class, law) cells, {total['examples']} generated examples, "
        f"{total['skipped'] / max(total['compared'], 1):.3%} of {total['compared']} values skipped, "
        f"{total['violated']} violated, {len(exemptions)} exempt ({len(exemptions) / max(total['cells'], 1):.2%})"
    )
    for subject, law, reason in exemptions:
        terminalreporter.write_line(f"  exempt: {subject}: {law}: {reason}")


def _counts(report: LawReport) -> dict[str, Any]:
    """Numbers and strings only, so that they travel between processes."""
    return {
        "cells": len(report.cells),
        "examples": report.examples,
        "compared": sum(cell.tally.compared for cell in report.cells),
        "skipped": sum(cell.tally.skipped for cell in report.cells),
        "violated": len(report.violations),
        "exemptions": [list(entry) for entry in report.exemptions],
    }
