"""check_bijector: what it runs, what it raises, what it reports."""

import pytest
import torch
from torch.distributions import SigmoidTransform

from probgen.distributions.bijectors import Affine, Exp
from probgen.distributions.testing import (
    BIJECTOR_LAWS,
    LAWS,
    PROFILES,
    BijectorSubject,
    LawsViolated,
    Tally,
    check_bijector,
    define_law,
    run_cell,
)
from tests.distributions.testing.planted import BIJECTORS, DISTRIBUTIONS, QUICK, event_shape
from tests.distributions.testing.planted.plain import Plain
from tests.distributions.testing.planted.values import RoundsToSingle, SkipsEverything, WrongSign

FAST_LAWS = tuple(law.name for law in BIJECTOR_LAWS if not law.slow)


def test_correct_map_passes():
    report = check_bijector(Plain, (3,), laws=FAST_LAWS, profile=QUICK)
    assert report.passed
    assert len(report.cells) > 100
    assert report.skipped_share == 0


def test_there_are_enough_bugs():
    assert len(BIJECTORS) >= 40
    assert len(DISTRIBUTIONS) >= 25


def test_message_names_law_input_expected_and_got():
    with pytest.raises(
        LawsViolated, match=r"log_det_matches_autograd is violated\n  input .*\n  expected .*\n  got "
    ) as caught:
        check_bijector(WrongSign, (3,), laws=("log_det_matches_autograd",), profile=QUICK)
    assert "as_built" in str(caught.value)


def test_smallest_input_is_simple():
    report = check_bijector(WrongSign, (3,), laws=("log_det_matches_autograd",), profile=QUICK, strict=False)
    assert any(torch.equal(cell.violation.where, torch.zeros(3, dtype=torch.float64)) for cell in report.violations)


def test_float32_rounding_in_a_float64_map_is_below_a_flat_tolerance_and_still_found():
    x = torch.randn(100, 3, dtype=torch.float64)
    broken = RoundsToSingle().double()
    assert (broken.inverse(broken(x)) - x).abs().max() < 1e-6
    report = check_bijector(RoundsToSingle, (3,), laws=("round_trip",), profile=QUICK, strict=False)
    assert {cell.dtype for cell in report.violations} == {"float64"}


def test_law_that_skips_too_much_fails():
    report = check_bijector(SkipsEverything, event_shape(SkipsEverything()), laws=("round_trip",), profile=QUICK, strict=False)
    assert any("skipped" in str(cell.violation.expected) or cell.violation.got is not None for cell in report.violations)

    @define_law("X1", "Nothing can be judged.", scales=())
    def skips(subject, draw):
        return Tally(100, skipped=11)

    assert run_cell(skips, BijectorSubject(Exp), QUICK).violation is not None


def test_crash_in_a_law_is_reported_as_violation():
    @define_law("X1", "The map can be called.", scales=())
    def crashes(subject, draw):
        raise RuntimeError("boom")

    assert "boom" in str(run_cell(crashes, BijectorSubject(Exp), QUICK).violation)


def test_unknown_law_names_raise():
    with pytest.raises(KeyError, match="no law called 'nonsense'"):
        check_bijector(Exp(), laws=("nonsense",))
    with pytest.raises(KeyError, match="no law called 'nonsense'"):
        check_bijector(Exp(), exempt={"nonsense": "because"})


def test_exemption_removes_the_law_and_is_listed():
    report = check_bijector(WrongSign, (3,), exempt={"log_det_matches_autograd": "#1"}, laws=("round_trip",), profile=QUICK)
    assert report.exemptions == [("WrongSign", "log_det_matches_autograd", "#1")]


def test_torch_transform_and_finished_object_are_accepted():
    assert check_bijector(SigmoidTransform(), laws=("log_det_matches_autograd",), profile=QUICK).passed
    assert check_bijector(Affine(shape=(2,)), laws=("state_dict_restores",), profile=QUICK).passed


def test_default_profile_covers_every_pair_of_law_and_cell():
    seen = {}
    for row in range(12):
        report = check_bijector(
            lambda: Affine(shape=(2,)),
            laws=("round_trip", "batch_does_not_leak"),
            profile=PROFILES["default"],
            name=f"row {row}",
        )
        for cell in report.cells:
            seen.setdefault(cell.law, set()).add((cell.dtype, cell.regime))
    assert all(len(cells) >= 4 for cells in seen.values())
    assert set(seen) <= LAWS.keys()
