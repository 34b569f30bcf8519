"""Changes of images: of every image by itself, and differentiable."""

import pytest
import torch

from probgen.infer import Adversarial, DifferentiableAugmentation, NonSaturating
from probgen.infer.adversarial import color, cutout, translation
from tests.probgen.infer.adversarial.games import Joined, plane_law

CHANGES = [color, translation, cutout, DifferentiableAugmentation()]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("shape", [(3, 1, 5, 8), (2, 3, 8, 8), (0, 3, 4, 4), (2, 3, 1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_types_are_kept(change, shape, dtype):
    images = torch.randn(shape, dtype=dtype)
    changed = change(images)
    assert (changed.shape, changed.dtype) == (images.shape, dtype)


@pytest.mark.parametrize("change", CHANGES)
def test_every_image_gets_a_change_of_its_own(change):
    torch.manual_seed(0)
    image = torch.randn(1, 3, 16, 16)
    changed = change(image.expand(16, -1, -1, -1))
    assert len({tuple(each.flatten().tolist()) for each in changed}) > 8


@pytest.mark.parametrize("change", CHANGES)
def test_gradients_pass_and_stay_within_the_image(change):
    images = torch.randn(3, 2, 6, 6, dtype=torch.float64, requires_grad=True)

    def fixed(images):
        torch.manual_seed(1)
        return change(images)

    assert torch.autograd.gradcheck(fixed, images)
    gradient = torch.autograd.grad(fixed(images)[1].sum(), images)[0]
    assert gradient[1].abs().sum() > 0
    assert gradient[[0, 2]].abs().sum() == 0


def test_translation_moves_whole_pixels_both_ways():
    torch.manual_seed(0)
    images = torch.zeros(400, 1, 16, 16)
    images[:, :, 8, 8] = 1.0
    places = translation(images).flatten(1).argmax(1)
    rows, columns = places // 16 - 8, places % 16 - 8
    assert set(rows.tolist()) == set(columns.tolist()) == {-2, -1, 0, 1, 2}
    left = translation(torch.ones(50, 1, 16, 16)).sum((1, 2, 3))
    assert set(left.tolist()) <= {float(height * width) for height in (14, 15, 16) for width in (14, 15, 16)}


def test_cutout_takes_one_box():
    torch.manual_seed(0)
    kept = cutout(torch.ones(300, 2, 8, 8))
    assert torch.equal(kept[:, 0], kept[:, 1])
    gone = 1 - kept[:, 0]
    heights, widths = gone.amax(2).sum(1), gone.amax(1).sum(1)
    assert torch.equal(gone.sum((1, 2)), heights * widths)
    assert set(heights.tolist()) == set(widths.tolist()) == {2.0, 3.0, 4.0}  # boxes over the edge are cut


def test_color_keeps_what_its_factors_do_not_touch():
    torch.manual_seed(0)
    images = torch.randn(5, 3, 4, 4, dtype=torch.float64)
    brighter = color(images, saturation=0.0, contrast=0.0) - images
    assert torch.allclose(brighter, brighter[:, :1, :1, :1].expand_as(images))
    stretched = color(images, brightness=0.0, saturation=0.0)
    assert torch.allclose(stretched.mean((1, 2, 3)), images.mean((1, 2, 3)))
    grayer = color(images, brightness=0.0, contrast=0.0)
    assert torch.allclose(grayer.mean(1), images.mean(1))
    assert torch.allclose(color(images, 0.0, 0.0, 0.0), images)


def test_data_and_draws_are_both_changed():
    calls = []

    def change(x):
        calls.append(len(x))
        return 2 * x

    loss = Adversarial(NonSaturating(), augmentation=change)(plane_law(), Joined(2, 1))
    x = torch.randn(6, 2)
    loss(x, player="critic")
    loss(x, player="generator")
    loss.estimate(x)
    assert calls == [6, 6, 6, 6, 6]


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\[N, C, H, W\]; got \(2, 8\)"):
        DifferentiableAugmentation()(torch.zeros(2, 8))
    assert repr(DifferentiableAugmentation([cutout])) == "DifferentiableAugmentation(cutout)"
