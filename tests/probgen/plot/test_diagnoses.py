"""The picture of a diagnosis shows its numbers."""

import pytest
import torch

pytest.importorskip("matplotlib")

from probgen.plot import diagnosis
from probgen.vae import Diagnosis, Gaps, LevelDiagnosis
from probgen.vae.diagnosis import Mean

LEVEL = LevelDiagnosis("z_1", torch.tensor([0.002, 0.9]), torch.tensor([0.01, 1.2]), 1.21, 1.1, 0.11)


def test_bars_are_activities_and_divergences_in_descending_order():
    left, middle, _ = diagnosis(Diagnosis(10, -17.0, -18.21, (LEVEL,))).axes
    assert [bar.get_height() for bar in left.patches] == pytest.approx([0.9, 0.002])
    assert [bar.get_height() for bar in middle.patches] == pytest.approx([1.2, 0.01])
    assert left.get_yscale() == "log"


def test_levels_stand_for_units_that_have_no_divergences():
    level = LevelDiagnosis("z_2", torch.tensor([0.5]), None, 0.7, None, None)
    middle = diagnosis(Diagnosis(10, -17.0, -18.0, (LEVEL, level))).axes[1]
    assert [bar.get_height() for bar in middle.patches] == pytest.approx([1.21, 0.7])


def test_the_way_to_the_evidence_is_as_long_as_the_gaps():
    gaps = Gaps(4, Mean(-20.0, 0.1), Mean(-19.0, 0.1), Mean(-18.5, 0.1), Mean(1.0, 0.1), Mean(0.5, 0.1), Mean(1.5, 0.1))
    line = diagnosis(Diagnosis(10, -17.0, -18.0, (LEVEL,), gaps=gaps)).axes[2].lines[0]
    assert list(line.get_ydata()) == pytest.approx([-17.0, -18.0, -17.0, -16.5])


def test_models_without_levels_have_a_picture():
    assert len(diagnosis(Diagnosis(10, -17.0, -17.0, ())).axes) == 3
