"""The U-Net with real noise, and the translator."""

import pytest
import torch

from probgen.nn import ImageToImageUNet, ResidualTranslator
from tests.probgen.nn.networks import awake


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (9, 13), (4, 5)])
@pytest.mark.parametrize("kind", [ImageToImageUNet, ResidualTranslator])
def test_any_size(size, kind):
    halvings = {"halvings": 1} if kind is ResidualTranslator else {}
    network = kind((3, *size), context_channels=2, noise_features=4, channels=2, **halvings)
    images = network(torch.randn(5, 4), torch.randn(5, 2, *size))
    assert images.shape == (5, 3, *size)
    assert images.abs().max() <= 1


@pytest.mark.parametrize("multipliers", [(1,), (1, 2), (1, 2, 2)])
def test_the_noise_acts_from_the_start(multipliers):
    """At DCGAN's small weights too: draws of one context differ, by more than rounding, and repeat with the noise."""
    torch.manual_seed(0)
    network = ImageToImageUNet((1, 16, 16), noise_features=4, channels=8, multipliers=multipliers)
    image = torch.randn(1, 1, 16, 16)
    z = torch.randn(6, 4)
    x = network(z, image)
    assert (x.std(0).mean() / x.abs().mean()).item() > 0.01
    torch.testing.assert_close(network(z, image), x, rtol=0, atol=0)


def test_skips_carry_the_context_pixel_by_pixel():
    """One pixel of the context acts most where it stands, through the finest skip."""
    torch.manual_seed(0)
    network = awake(ImageToImageUNet((1, 16, 16), channels=4, normalization="none", output="identity"))
    image, z = torch.randn(1, 1, 16, 16), torch.zeros(1, 16)
    moved = image.clone()
    moved[0, 0, 5, 9] += 1
    change = (network(z, moved) - network(z, image)).abs()[0, 0]
    assert divmod(int(change.argmax()), 16)[0] in range(2, 9)
    assert divmod(int(change.argmax()), 16)[1] in range(6, 13)


def test_a_translator_with_noise_and_without():
    torch.manual_seed(0)
    image = torch.randn(3, 1, 8, 8)
    plain = awake(ResidualTranslator((1, 8, 8), channels=4, blocks=1))
    torch.testing.assert_close(plain(image), plain(torch.zeros(3, 0), image), rtol=0, atol=0)
    noisy = awake(ResidualTranslator((1, 8, 8), noise_features=4, channels=4, blocks=1))
    assert (noisy(torch.randn(3, 4), image) - noisy(torch.randn(3, 4), image)).abs().max() > 1e-3
    for call in (lambda: noisy(image), lambda: plain(), lambda: plain(image, image, image)):
        with pytest.raises(ValueError, match="takes an image, after noise where it has some; got"):
            call()
    with pytest.raises(ValueError, match=r"`noise` of ResidualTranslator must be \[N, 4\]"):
        noisy(torch.zeros(3, 5), image)


def test_a_translator_ignores_brightness_by_its_first_normalization():
    """Instance normalization: an affine change of all pixels changes nothing but what borders do not see."""
    torch.manual_seed(0)
    network = awake(ResidualTranslator((1, 8, 8), channels=4, blocks=1)).double()
    image = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(network(3 * image + 2), network(image), rtol=1e-3, atol=1e-3)


def test_wrong_settings_are_named():
    for settings in ({"noise_features": -1}, {"image_shape": (1, 3, 8)}, {"halvings": 3}):
        with pytest.raises(ValueError, match="`noise_features` must not be negative, sides at least 4"):
            ResidualTranslator(**({"image_shape": (1, 8, 8)} | settings))
    with pytest.raises(ValueError, match="`noise_features` must be positive; got 0"):
        ImageToImageUNet((1, 8, 8), noise_features=0)
