"""The doctor: collapsing models are diagnosed and mended by what it advises; nothing of the patient changes."""

import copy
import math

import pytest
import torch
from torch import nn

import probgen as pg
from probgen.distributions import Autoregressive, standard_normal
from probgen.distributions.elements import BernoulliElement, NetworkLaw, NormalElement
from probgen.infer import ELBO, FreeBits
from probgen.vae import Advice, CodebookDiagnosis, DecoderDiagnosis, Diagnosis, Gaps, LevelDiagnosis, diagnose
from probgen.vae.diagnosis import Mean
from probgen.vae.doctor_advice import advise
from tests.probgen.vae.linear_models import exact_rows

ZERO = Mean(0.0, 0.0)
LEVEL = LevelDiagnosis("z", torch.tensor([0.9, 0.5]), torch.tensor([1.2, 0.8]), 2.0, 1.9, 0.1)


def train(vae, x, objective=None, steps=120):
    torch.manual_seed(1)
    batches = [x[torch.randint(len(x), (64,))] for _ in range(steps)]
    pg.infer.fit(vae.loss(objective), batches, lambda p: torch.optim.Adam(p, lr=1e-2), progress=False)
    return vae


def linear_decoder(scale, features):
    torch.manual_seed(0)
    return pg.vae.VAE(
        standard_normal(3),
        NetworkLaw(nn.Linear(3, features), NormalElement(scale), (features,), (3,)),
        NetworkLaw(nn.Linear(features, 6), NormalElement(), (3,), (features,)),
    )


def test_mean_squared_error_collapses_and_the_advice_mends_it():
    """The mean over D = 64 coordinates of the squared error is a decoder of variance 32: no direction pays."""
    x = exact_rows([2.0, 1.5, 1.0] + [0.003] * 61, count=600).float()
    sick = diagnose(train(linear_decoder(math.sqrt(32), 64), x), x, gap_data=0)
    assert sick.collapsed
    assert sick.num_active == 0
    assert sick.information < 0.1
    assert sick.decoder.directions == 0
    element = sick.advice[0].objects[0]
    assert element.scale == "shared"
    well = diagnose(train(linear_decoder(element.scale, 64), x), x, gap_data=0)
    assert well.num_active == 3
    assert well.information > 2.0
    assert well.elbo > sick.elbo + 50


class Pixels(nn.Module):
    """A strong decoder: all coordinates before it, and the code, for every coordinate."""

    event_shape = (10,)

    def __init__(self):
        super().__init__()
        self.network = pg.nn.MADE(10, 1, hidden=(32,), context_features=4)
        self.element = BernoulliElement()

    def forward(self, z):
        return Autoregressive(self.network, (10,), self.element, context=z)


def chains(count):
    """Binary Markov chains that flip with probability 0.1."""
    torch.manual_seed(0)
    flips = torch.rand(count, 10) < torch.tensor([0.5] + [0.1] * 9)
    return (flips.long().cumsum(1) % 2).float()


def test_a_strong_decoder_collapses_and_the_advice_mends_it():
    x = chains(600)
    decoder = Pixels()
    optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-2)
    for _ in range(150):  # a decoder that was trained before and does without codes
        optimizer.zero_grad()
        batch = x[torch.randint(len(x), (64,))]
        (-decoder(torch.randn(64, 4)).log_prob(batch).mean()).backward()
        optimizer.step()

    def model():
        torch.manual_seed(0)
        encoder = NetworkLaw(pg.nn.MLP(10, 8, hidden=(32,)), NormalElement(), (4,), (10,))
        return pg.vae.VAE(standard_normal(4), copy.deepcopy(decoder), encoder)

    sick = diagnose(train(model(), x), x[:300], gap_data=0)
    assert sick.collapsed
    free = sick.advice[0].objects[0]
    assert free == FreeBits(0.5, per="unit")
    well = diagnose(train(model(), x, ELBO(free_bits=free)), x[:300], gap_data=0)
    assert not well.collapsed
    assert well.num_active == 4
    assert well.information > 1.0 > 10 * sick.information
    assert well.decoder.reliance > 1.0 > sick.decoder.reliance


def test_nothing_of_the_patient_changes():
    torch.manual_seed(0)
    vae = pg.vae.mlp_vae((4,), 2, hidden=(8,), dropout=0.5).train()
    x = torch.randint(0, 2, (20, 4)).float()
    before, state = copy.deepcopy(vae.state_dict()), torch.get_rng_state()
    first, second = (str(diagnose(vae, x, gap_data=4, gap_steps=3)) for _ in range(2))
    assert first == second
    assert torch.equal(state, torch.get_rng_state())
    assert vae.training
    assert all(torch.equal(value, before[name]) for name, value in vae.state_dict().items())
    assert all(parameter.grad is None for parameter in vae.parameters())


def test_codebooks_are_examined():
    """One code for everything: log p(x | code) less log K nats for each of four codes, and a perplexity of one."""
    torch.manual_seed(0)
    decoder = NetworkLaw(nn.Sequential(nn.Flatten(), nn.Linear(8, 16)), BernoulliElement(), (16,), (2, 4))
    vq = pg.vae.VQVAE(nn.Linear(16, 8), decoder, pg.vae.Codebook(16, 2), code_shape=(4,)).eval()
    vq.encoder.weight.data.zero_()
    vq.encoder.bias.data.zero_()
    found = diagnose(vq, torch.zeros(5, 16))
    assert found.codebook.size == 16
    assert found.codebook.perplexity == pytest.approx(1.0)
    assert found.reconstruction - found.elbo == pytest.approx(4 * math.log(16), rel=1e-5)
    assert not found.collapsed
    assert found.advice[0].finding == "Only 1.0 of 16 codes are in use."
    assert found.codebook == CodebookDiagnosis(16, found.codebook.perplexity)
    assert "codebook: 1.0 of 16 codes used" in str(found)


def test_a_sound_model_gets_no_advice():
    assert advise(Diagnosis(1000, -10.0, -12.0, (LEVEL,), DecoderDiagnosis(3.0, 0.5, 0.4, 2))) == ()


@pytest.mark.parametrize(
    ("found", "finding"),
    [
        (Diagnosis(9, 0.0, 0.0, (LEVEL,), DecoderDiagnosis(1.0, 0.1, 0.4, 2)), "0.25 times its squared error: the divergence"),
        (
            Diagnosis(9, 0.0, 0.0, (LevelDiagnosis("z", torch.eye(3)[0], None, 2.0, 2, 0),)),
            "2 of 3 units are inactive",
        ),
        (Diagnosis(999, 0.0, 0.0, (LevelDiagnosis("z", torch.ones(2), None, 4.0, 2.0, 2.0),)), "miss the prior by 2.000 nats"),
        (
            Diagnosis(9, 0.0, 0.0, (LEVEL,), gaps=Gaps(4, ZERO, ZERO, ZERO, Mean(2.0, 0.1), Mean(0.1, 0.1), Mean(2.1, 0.1))),
            "The encoder loses 2.000 nats",
        ),
        (
            Diagnosis(9, 0.0, 0.0, (LEVEL,), gaps=Gaps(4, ZERO, ZERO, ZERO, Mean(0.1, 0.1), Mean(2.0, 0.1), Mean(2.1, 0.1))),
            "The family of posteriors loses 2.000 nats",
        ),
    ],
)
def test_every_rule_speaks_where_it_applies(found, finding):
    (advice,) = advise(found)
    assert isinstance(advice, Advice)
    assert finding in str(advice)


def test_information_near_its_ceiling_is_no_reason_to_blame_the_prior():
    level = LevelDiagnosis("z", torch.ones(2), None, 9.0, 2.0, 7.0)
    assert advise(Diagnosis(8, 0.0, 0.0, (level,))) == ()


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="at least two data and one draw are needed; got 1"):
        diagnose(pg.vae.mlp_vae((4,), 2), torch.zeros(1, 4))
