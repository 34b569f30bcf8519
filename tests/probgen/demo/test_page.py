"""The page is one file; an interpolation starts and ends at real images."""

import pytest
import torch

from probgen.demo import ENTRIES, interpolation, write_page


def test_page_is_one_file(results, tmp_path):
    pytest.importorskip("matplotlib")
    text = write_page(results, tmp_path / "demo.html").read_text()
    assert all(f"<h2>{name}</h2>" in text for name in ENTRIES)
    assert "http" not in text


def test_interpolation_ends_at_the_images(results):
    line = interpolation(results, "spline coupling", steps=5)[:5]
    labels = results.problem.test.labels.tolist()
    v = results.problem.test_v[0]
    assert torch.allclose(line[0], v[labels.index(0)], atol=1e-4)
    assert torch.allclose(line[-1], v[labels.index(6)], atol=1e-4)
