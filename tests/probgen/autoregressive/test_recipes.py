"""Recipes: each makes a law, exact by enumeration, by class, of colors, of codes and levels; it can be trained and saved."""

import pytest
import torch

from probgen import autoregressive as ar
from probgen.distributions import AutoregressiveLaw, Quantization
from probgen.distributions.elements import (
    BernoulliElement,
    CategoricalElement,
    DiscretizedLogisticMixtureElement,
    NormalElement,
)
from probgen.infer import MaximumLikelihood, load, save

IMAGES = {
    "fvsbn": ar.fvsbn,
    "nade": lambda *a, **k: ar.nade(*a, hidden=8, **k),
    "made": lambda *a, **k: ar.made(*a, hidden=(24,), dropout=0.2, **k),
    "made, residual": lambda *a, **k: ar.made(*a, hidden=(16,) * 3, skip=False, residual=True, seed=1, **k),
    "pixel_cnn": lambda *a, **k: ar.pixel_cnn(*a, blocks=1, channels=12, first_kernel_size=3, head_channels=12, **k),
    "gated_pixel_cnn": lambda *a, **k: ar.gated_pixel_cnn(*a, layers=2, channels=6, first_kernel_size=3, head_channels=6, **k),
    "pixel_rnn, diagonal": lambda *a, **k: ar.pixel_rnn(*a, layers=1, hidden=6, kernel_size=3, **k),
    "pixel_rnn, row": lambda *a, **k: ar.pixel_rnn(*a, kind="row", layers=1, hidden=6, kernel_size=3, **k),
    "image_gpt": lambda *a, **k: ar.image_gpt(*a, width=8, depth=1, heads=2, **k),
    "pixel_snail": lambda *a, **k: ar.pixel_snail(*a, filters=8, stages=1, blocks=1, **k),
}
"""Of events ``(H, W)`` and ``(C, H, W)``, by any element."""

SEQUENCES = {
    "wave_net": lambda: ar.wave_net(4, CategoricalElement(3), dilations=2, stacks=1, channels=4),
    "text_transformer": lambda: ar.text_transformer(4, 3, width=8, depth=1, heads=2),
}


def built(make, *args, **options):
    torch.manual_seed(0)
    return make(*args, **options).double().eval()


def total(law):
    """The sum of probabilities over all states."""
    return law.log_prob(law.enumerate_support()).exp().sum(0)


@pytest.mark.parametrize("name", IMAGES)
def test_probabilities_of_all_images_sum_to_one(name):
    law = built(IMAGES[name], (2, 3))
    assert isinstance(law, AutoregressiveLaw)
    torch.testing.assert_close(total(law()), torch.ones((), dtype=torch.float64), rtol=0, atol=1e-10)
    assert law().sample((2, 3)).shape == (2, 3, 2, 3)


@pytest.mark.parametrize("name", IMAGES)
def test_by_class_each_class_has_its_own_law(name):
    law = built(IMAGES[name], (2, 2), context_shape=(3,))
    given = law(torch.eye(3).double())
    torch.testing.assert_close(total(given), torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-10)
    scores = given.log_prob(torch.ones(2, 2).double())
    assert scores.shape == (3,)
    if "gpt" not in name:  # what a context adds to a norm's input at the start is small
        assert not torch.allclose(scores[0], scores[1])


@pytest.mark.parametrize("name", [name for name in IMAGES if name != "pixel_snail"])
def test_colors_come_one_after_another(name):
    law = built(IMAGES[name], (3, 1, 2))
    torch.testing.assert_close(total(law()), torch.ones((), dtype=torch.float64), rtol=0, atol=1e-10)
    assert law().sample((4,)).shape == (4, 3, 1, 2)


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("shape", [(2, 2), (1, 2, 2)])
def test_codes(name, shape):
    law = built(IMAGES[name], shape, CategoricalElement(3))
    torch.testing.assert_close(total(law()), torch.ones((), dtype=torch.float64), rtol=0, atol=1e-10)
    assert law().sample().shape == shape


@pytest.mark.parametrize("name", [*IMAGES, "pixel_cnn_plus_plus"])
def test_pixels_of_three_colors_on_levels(name):
    make = IMAGES.get(name, lambda *a: ar.pixel_cnn_plus_plus(*a, filters=4, blocks=1, levels=1, dropout=0.1))
    levels = Quantization(3, -1.0, 1.0)
    law = built(make, (3, 1, 2), DiscretizedLogisticMixtureElement(levels, components=2))
    x = levels.decode(torch.cartesian_prod(*[torch.arange(3)] * 6).reshape(-1, 3, 1, 2)).double()
    torch.testing.assert_close(law().log_prob(x).exp().sum(), torch.ones((), dtype=torch.float64), rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", SEQUENCES)
def test_probabilities_of_all_sequences_sum_to_one(name):
    law = built(SEQUENCES[name])
    torch.testing.assert_close(total(law()), torch.ones((), dtype=torch.float64), rtol=0, atol=1e-10)
    assert law().sample((5,)).shape == (5, 4)


def test_defaults_are_bits_for_images_and_codes_for_sound():
    assert isinstance(ar.fvsbn((2, 2)).element, BernoulliElement)
    assert ar.wave_net(8, dilations=2).element.values == 256
    assert ar.pixel_cnn_plus_plus((4, 4), filters=4, blocks=1).element.event_shape == ()
    assert ar.pixel_cnn_plus_plus((3, 4, 4), filters=4, blocks=1).element.event_shape == (3,)


def test_real_numbers():
    law = built(ar.made, (3,), NormalElement(), hidden=(16,))
    assert law().rsample((5,)).requires_grad
    sound = built(ar.wave_net, 5, NormalElement(), dilations=2, stacks=1, channels=4)
    assert sound().log_prob(torch.randn(2, 5).double()).shape == (2,)


@pytest.mark.parametrize("name", ["fvsbn", "nade", "made"])
def test_any_order(name):
    law = built(IMAGES[name], (4,), order=(2, 0, 3, 1))
    assert law.network.levels == ((2,), (0,), (3,), (1,))
    torch.testing.assert_close(total(law()), torch.ones((), dtype=torch.float64), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", IMAGES)
def test_maximum_likelihood_finds_a_checkerboard(name):
    law = built(IMAGES[name], (2, 3)).train()
    x = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]).double()
    x = torch.stack([x, 1 - x])
    loss = MaximumLikelihood(law)
    optimizer = torch.optim.Adam(loss.parameters(), 0.05)
    before = loss(x).item()
    for _ in range(30):
        optimizer.zero_grad()
        loss(x).backward()
        optimizer.step()
    law.eval()
    assert before > 3.5  # near 6 log 2 = 4.2
    assert loss(x).item() < 1.2  # log 2 = 0.69 is the entropy


@pytest.mark.parametrize("name", IMAGES)
def test_laws_can_be_saved(name, tmp_path):
    law, x = built(IMAGES[name], (2, 3)), torch.ones(2, 3).double()
    save(law, tmp_path / "law.safetensors")
    torch.testing.assert_close(load(tmp_path / "law.safetensors")().log_prob(x), law().log_prob(x), rtol=0, atol=0)


@pytest.mark.parametrize("make", [ar.pixel_cnn_plus_plus, ar.pixel_snail])
def test_where_a_pixel_is_a_position_elements_of_one_color_are_refused(make):
    with pytest.raises(ValueError, match="`element` must be a law of all 3 colors of a pixel"):
        make((3, 4, 4), BernoulliElement())


def test_dropout_drops_in_training_only():
    law, x = built(ar.made, (9,), hidden=(64,), dropout=0.5), torch.ones(9).double()
    assert law().log_prob(x) == law().log_prob(x)
    law.train()
    assert law().log_prob(x) != law().log_prob(x)
