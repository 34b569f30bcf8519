"""Anybody's bijector, checked by law: one that is right, and one with the bug that everybody writes once.

The second class forgets that the log-determinant of a map of vectors is summed over the coordinates that it transforms.
"""

from __future__ import annotations

import argparse

import torch
from torch.distributions import constraints

from probgen.distributions.bijectors import Bijector
from probgen.distributions.testing import check_bijector
from probgen.distributions.testing.report import LawsViolated


class Shear(Bijector):
    """y = (x_1, x_2 exp(a x_1) + b x_1): a coupling by hand."""

    domain = codomain = constraints.independent(constraints.real, 1)
    domain_shape = (2,)

    def __init__(self):
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(0.3))
        self.b = torch.nn.Parameter(torch.tensor(-0.5))

    def _log_scale(self, first):
        return self.a * first.tanh()

    def _forward_and_log_det(self, x, context=None):
        first, second = x.unbind(-1)
        log_scale = self._log_scale(first)
        return torch.stack([first, second * log_scale.exp() + self.b * first], -1), log_scale

    def _inverse_and_log_det(self, y, context=None):
        first, second = y.unbind(-1)
        log_scale = self._log_scale(first)
        return torch.stack([first, (second - self.b * first) * (-log_scale).exp()], -1), -log_scale


class Wrong(Bijector):
    """y = 2 x with the log-determinant of one coordinate, whatever the size of the vector."""

    domain = codomain = constraints.independent(constraints.real, 1)

    def _forward_and_log_det(self, x, context=None):
        return 2 * x, torch.full_like(x[..., 0], 2.0).log()

    def _inverse_and_log_det(self, y, context=None):
        return y / 2, -torch.full_like(y[..., 0], 2.0).log()


def main(argv: list[str] | None = None) -> tuple[bool, bool]:
    """Check both; return whether the first passed and whether the second was caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="two laws instead of all")
    options = parser.parse_args(argv)
    laws = ("round_trip", "log_det_matches_autograd") if options.smoke else None
    report = check_bijector(Shear, event_shape=(2,), laws=laws)
    print(f"Shear: {len(report.cells)} cells, passed: {report.passed}")
    try:
        check_bijector(Wrong, event_shape=(3,), laws=laws)
    except LawsViolated as error:
        print("Wrong was caught:\n" + "\n".join(str(error).splitlines()[:12]))
        return report.passed, True
    return report.passed, False


if __name__ == "__main__":
    main()
