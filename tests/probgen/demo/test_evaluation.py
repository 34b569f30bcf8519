"""Scores of a model whose density is known."""

import math

import pytest
import torch

from probgen.demo import ImageModel, Scores, Settings, evaluate, held_out_log_prob, load_problem
from probgen.metrics import MeanError


class Uniform(ImageModel):
    """The uniform law on the cube; its code is the image itself."""

    def log_prob(self, v, label=None):
        return torch.zeros(v.shape[:-1])

    def sample(self, n, label=None):
        return torch.rand(n, 64)

    def encode(self, v, label=None):
        return v

    def decode(self, z, label=None):
        return z + 0.25


def test_uniform_law_costs_log2_17_bits():
    settings = Settings.smoke()
    problem = load_problem(settings)
    scores = evaluate(Uniform(), problem, settings, conditional=False)
    assert isinstance(scores, Scores)
    assert scores.bits.mean == pytest.approx(math.log2(17))
    assert scores.bits.error < 1e-12
    assert scores.round_trip == pytest.approx(0.25)
    assert scores.samples_per_second > 0
    assert scores.gap == (0.0, 0.0)
    by_class = evaluate(Uniform(), problem, settings, conditional=True)
    assert (by_class.bits, by_class.samples_per_second, by_class.gap) == (scores.bits, None, None)
    assert held_out_log_prob(Uniform(), problem, conditional=False).shape == (100,)


class Sampler(ImageModel):
    """Draws, and nothing else."""

    kind = "none"

    def sample(self, n, label=None):
        return torch.rand(n, 64)


def test_a_model_without_a_density_has_a_speed_only():
    settings = Settings.smoke()
    scores = evaluate(Sampler(), load_problem(settings), settings, conditional=False)
    assert (scores.bits, scores.train_bits, scores.round_trip) == (None, None, None)
    assert scores.samples_per_second > 0
    assert scores.shown(scores.bits) == "none"


@pytest.mark.parametrize(("kind", "start"), [("exact", "2."), ("lower", "<= 2.")])
def test_bits_in_words(kind, start):
    bits = MeanError(2.0, 0.1)
    assert Scores(bits, bits, 1.0, 0.0, kind).shown(bits).startswith(start)
