"""The table of measured biases: labels and figures are those of the survey and stay where they are."""

import pytest

from probgen.diffusion.conditioning import CONDITIONING_METHODS, RestorationRow, restoration_table, restoration_test_bed

FIGURES = {  # measured with 100 000 draws: mean and standard deviation of x_2
    "exact": (0.900, 0.436),
    "smc": (0.900, 0.436),
    "moment matching": (0.900, 0.427),
    "  isotropic": (0.854, 0.454),
    "null space": (0.866, 0.397),
    "replacement": (0.625, 0.552),
    "repaint, 3 repeats": (0.816, 0.460),
    "repaint, 10 repeats": (0.878, 0.425),
    "posterior sampling": (0.994, 0.395),
}


@pytest.mark.statistical(false_alarm=1e-8)
def test_the_table_has_its_figures():
    rows = {row.method: row for row in restoration_table(1000)}
    for name, (mean, std) in FIGURES.items():
        row = rows[name]
        assert isinstance(row, RestorationRow)
        assert abs(row.observed - 1) < 0.05, name
        # six standard errors (the particles of "smc" count for half): finds a shift of a fifth of a standard deviation
        assert abs(row.mean - mean) < 6 * 1.5 * std / 1000**0.5, name
        assert abs(row.std / std - 1) < 6 * 1.5 / 2000**0.5, name


def test_labels_quote_the_table():
    for method, row in (("replacement", "replacement"), ("null space", "null space"), ("repaint", "repaint, 10 repeats")):
        mean, std = FIGURES[row]
        assert f"mean {mean:.3f} (exact 0.900), standard deviation {std:.3f} (exact 0.436)" in CONDITIONING_METHODS[method].bias


def test_the_bed_is_the_plane():
    chain, seen, axes = restoration_test_bed(steps=10)
    covariance = axes @ chain.denoiser.data_variance.diag() @ axes.mT
    assert float(covariance[0, 1]) == pytest.approx(0.9)
    assert float(covariance[0, 0]) == pytest.approx(1.0)
    assert seen.operator.apply(axes.mT @ axes.new_tensor([3.0, 5.0])).item() == pytest.approx(3.0)
