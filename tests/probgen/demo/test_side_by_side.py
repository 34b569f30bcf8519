"""Rows in which the families stand next to each other begin with real images."""

import pytest
import torch

from probgen.demo import ENTRIES, completion_rows, draw_rows, interpolation_rows, neighbor_rows


def test_draws_and_neighbors(results):
    rows = draw_rows(results)
    assert list(rows) == ["test images", *ENTRIES]
    assert {images.shape for images in rows.values()} == {torch.Size([12, 8, 8])}
    torch.testing.assert_close(rows["test images"].flatten(1), results.problem.test_v[0][:12])
    pairs = neighbor_rows(results)
    assert list(pairs)[:2] == ["test images", "nearest to test images"]
    assert len(pairs) == 2 * len(rows)


def test_ways_end_at_real_images_where_codes_are_exact(results):
    rows = interpolation_rows(results)
    three, eight = results.problem.examples()[[3, 8]]
    assert list(rows) == list(ENTRIES)
    for name in ("spline coupling", "spline autoregressive", "Glow", "PixelCNN"):
        torch.testing.assert_close(rows[name][0].flatten(), three, rtol=0, atol=1e-4)
        torch.testing.assert_close(rows[name][-1].flatten(), eight, rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def rows(results):
    return completion_rows(results)


@pytest.mark.parametrize("name", [name for name in ENTRIES if name != "adversarial network"])
def test_halves_are_kept_by_every_model_that_completes(rows, name):
    assert "adversarial network" not in rows
    near = 0.5 / 17 + 1e-4 if name != "diffusion" else 1.0  # its last step rounds what it was guided to
    assert float((rows[name][:, :4] - rows["test images"][:, :4]).abs().max()) <= near
    assert not torch.equal(rows[name][:, 4:], rows["test images"][:, 4:])
