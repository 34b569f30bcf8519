"""Small trained models of the embedded digits, one of each family, with a card each: to look at, to draw from, to test with."""

from probgen.pretrained.cards import ModelCard
from probgen.pretrained.networks import build_model, digits_adversarial_networks
from probgen.pretrained.store import load_pretrained, pretrained_card, pretrained_names, write_pretrained

__all__ = [
    "ModelCard",
    "build_model",
    "digits_adversarial_networks",
    "load_pretrained",
    "pretrained_card",
    "pretrained_names",
    "write_pretrained",
]
