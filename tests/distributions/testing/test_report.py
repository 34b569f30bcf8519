"""Reports count, list and raise."""

import pytest

from probgen.distributions.testing import Cell, LawReport, LawsViolated, LawViolation, Tally


def test_report_counts_and_raises():
    good = Cell("Exp", "round_trip", "float64", "as_built", 4, Tally(90, skipped=1))
    bad = Cell("Exp", "log_det_is_pure", "float32", "strong", 2, Tally(10), LawViolation("log_det_is_pure", 1.0, 2.0, 3.0))
    report = LawReport([good])
    report.raise_if_violated()
    report.add(LawReport([bad], [("Exp", "exports", "because")]))
    assert (report.examples, report.skipped_share, report.violated_laws) == (6, 0.01, {"log_det_is_pure"})
    assert "round_trip holds" in report.text()
    with pytest.raises(LawsViolated, match="exempt: Exp: exports: because"):
        report.raise_if_violated()
