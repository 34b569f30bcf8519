"""The models that ship: files and cards belong together, and the scores on the cards are the models' own."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import one_hot

from probgen.data import load_digits
from probgen.diffusion import bound_estimate
from probgen.metrics import bits_per_dim
from probgen.pretrained import (
    ModelCard,
    build_model,
    digits_adversarial_networks,
    load_pretrained,
    pretrained_card,
    pretrained_names,
    write_pretrained,
)

NAMES = pretrained_names()
TEST = load_digits().test
GIVEN, CENTERED = one_hot(TEST.labels.long(), 10).float(), TEST.x.float() / 8 - 1


def _claimed(name: str) -> tuple[float, float]:
    """Bits and standard error on the card."""
    mean, error = pretrained_card(name).scores["bits/dim, given the class"].split(",")[0].split(" ± ")
    return float(mean), float(error)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_describes_its_file(name: str):
    card, model = pretrained_card(name), load_pretrained(name)
    assert card.name == name
    assert name in card.command
    assert card.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert not model.training
    assert str(card).splitlines()[0].split() == ["name", name]
    weights = model.state_dict()
    untrained = build_model(name).state_dict()
    changed = [key for key in weights if weights[key].is_floating_point() and not torch.equal(weights[key], untrained[key])]
    assert changed, "a file of random weights"


@pytest.mark.parametrize("name", NAMES)
def test_files_round_trip(name: str, tmp_path: Path):
    model, card = load_pretrained(name), pretrained_card(name)
    path = write_pretrained(model, card, tmp_path / "new")
    other = build_model(name)
    other.load_state_dict(load_file(path))
    for key, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key
    assert type(card).read(path.with_suffix(".json")) == card


def test_exact_bits_are_those_of_the_card():
    """No noise: the same sum to rounding."""
    with torch.no_grad():
        bits = bits_per_dim(load_pretrained("pixel-cnn-digits")(GIVEN).log_prob(CENTERED), 64)
    assert bits.mean == pytest.approx(_claimed("pixel-cnn-digits")[0], abs=1e-3)


@pytest.mark.parametrize("name", ["glow-digits", "vae-digits", "diffusion-digits"])
def test_bounds_are_those_of_the_card_within_their_noise(name: str):
    """Fewer draws here, so a little more bits for the autoencoder; seeds are fixed."""
    torch.manual_seed(3)
    model = load_pretrained(name)
    with torch.no_grad():
        if name == "glow-digits":
            nats = model(GIVEN).log_prob(TEST.x.float().unsqueeze(1))
        elif name == "vae-digits":
            nats = model.distribution(GIVEN).log_prob_estimate(CENTERED.flatten(1), 50).value
        else:
            nats = -bound_estimate(model, CENTERED.unsqueeze(1), TEST.labels, num_draws=8, decoder_draws=2)
    claimed, error = _claimed(name)
    assert bits_per_dim(nats, 64).mean == pytest.approx(claimed, abs=max(4 * error, 0.04))
    assert claimed < 0.7 * math.log2(17)


def test_the_law_without_a_density_says_so():
    assert "none" in pretrained_card("gan-digits").scores["bits/dim, given the class"]
    assert load_pretrained("gan-digits")(torch.arange(10)).sample().shape == (10, 1, 8, 8)


def test_an_unknown_name_is_an_error_that_lists_the_others():
    for call in (load_pretrained, pretrained_card, build_model):
        with pytest.raises(ValueError, match=r"one of glow-digits, .*got 'glow'"):
            call("glow")


def test_the_critic_that_is_not_shipped_scores_the_draws_of_the_law_that_is():
    law, critic = digits_adversarial_networks()
    law.load_state_dict(load_pretrained("gan-digits").state_dict())
    assert critic(law(torch.arange(10)).sample(), torch.arange(10)).isfinite().all()


def test_a_card_is_text_and_survives_json(tmp_path: Path):
    card = ModelCard("a", "f", "m", "d", "u", "g", "c", 1.5, 10, 3, {"bits": "2.0 ± 0.1"}, "s", "l")
    card.write(tmp_path / "a.json")
    assert ModelCard.read(tmp_path / "a.json") == card
    assert "training" in str(card)
    assert str(card).splitlines()[-1].split() == ["score:", "bits", "2.0", "±", "0.1"]
