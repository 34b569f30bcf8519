"""What a diagnosis derives from its numbers, and how it prints."""

import torch

from probgen.vae import Diagnosis, LevelDiagnosis

UPPER = LevelDiagnosis("z_2", torch.tensor([0.5, 0.001]), torch.tensor([0.7, 0.0]), 0.7, 0.6, 0.1)
LOWER = LevelDiagnosis("z_1", torch.tensor([0.5, 0.5, 0.0]), None, 1.5, None, None)


def test_levels_add_up():
    found = Diagnosis(50, -10.0, -12.2, (UPPER, LOWER))
    assert (found.num_active, found.num_units) == (3, 5)
    assert found.divergence == 0.7 + 1.5
    assert found.information == 0.6 + 1.5
    assert not found.collapsed


def test_collapse_is_no_active_unit_or_no_information():
    silent = LevelDiagnosis("z", torch.tensor([0.02]), None, 0.02, 0.01, 0.01)
    still = LevelDiagnosis("z", torch.tensor([0.001]), None, 1.0, 1.0, 0.0)
    assert Diagnosis(50, -10.0, -10.0, (silent,)).collapsed
    assert Diagnosis(50, -10.0, -10.0, (still,)).collapsed


def test_tables_are_aligned_and_have_no_negative_zeros():
    level = LevelDiagnosis("z_1", torch.zeros(12), None, 0.0, -1e-9, 1e-9)
    lines = str(Diagnosis(50, -10.0, -10.7, (UPPER, level))).splitlines()
    table = [line for line in lines if line.startswith(("level", "z_"))]
    assert len({len(line) for line in table}) == 1
    assert "-0.000" not in str(lines)
    assert any(line == "KL of units of z_2: 0.700 0.000" for line in lines)
