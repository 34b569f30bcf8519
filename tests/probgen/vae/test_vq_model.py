"""The vector-quantized autoencoder: gradients, bounds against enumeration, two stages of training."""

import itertools
import math

import pytest
import torch
from torch import nn

from probgen import infer
from probgen.distributions import AutoregressiveLaw
from probgen.distributions.elements import BernoulliElement, NetworkLaw, NormalElement
from probgen.infer import fit
from probgen.vae import VQVAE, Codebook, CodePriorLoss, VQLoss, made_code_prior, straight_through


def tiny(prior=None, decay=0.9):
    """Six binary pixels, two codes out of three."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 6))
    decoder = NetworkLaw(network, BernoulliElement(), event_shape=(6,), input_shape=(2, 2))
    return VQVAE(nn.Linear(6, 4), decoder, Codebook(3, 2, decay=decay), (2,), prior).double()


def pictures(count):
    """Binary data with two patterns and some noise."""
    patterns = torch.tensor([[1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 0, 1]], dtype=torch.float64)
    chosen = patterns[torch.randint(2, (count,))]
    return (chosen - (torch.rand(count, 6) < 0.05).double()).abs()


# ------------------------------------------------------------------------------------------------------------------- gradients


def test_the_gradient_goes_straight_through():
    z = torch.randn(4, 3, requires_grad=True)
    jacobian = torch.autograd.functional.jacobian(lambda z: straight_through(z.round() * 7, z), z)
    assert torch.equal(jacobian.reshape(12, 12), torch.eye(12))
    torch.testing.assert_close(straight_through(z.round() * 7, z), z.round() * 7, rtol=0, atol=0)


def test_the_loss_is_the_formula_and_its_gradients():
    model, x = tiny(decay=None), pictures(5)
    z = model.encode(x)
    codes = model.codes(x)
    chosen = model.codebook(codes)
    rows = z.transpose(1, 2)
    expected = -model.decode(codes).log_prob(x).sum() + 1.25 * (rows - chosen).square().sum()
    loss = model.loss(0.25)(x)
    torch.testing.assert_close(loss, expected)
    grads = torch.autograd.grad(loss, [model.codebook.vectors, model.encoder.weight])
    by_hand = torch.zeros(3, 2, dtype=torch.float64)
    by_hand.index_add_(0, codes.flatten(), -2 * (rows - chosen).detach().reshape(-1, 2))
    torch.testing.assert_close(grads[0], by_hand)  # only from the third term: the likelihood is handed to the encoder
    assert grads[1].abs().max() > 0


def test_a_new_loss_of_a_model_in_evaluation_mode_leaves_the_codebook_alone():
    model, x = tiny().eval(), pictures(20)
    before = model.codebook.counts.clone()
    model.loss()(x)
    assert torch.equal(model.codebook.counts, before)


def test_evaluation_mode_freezes_the_codebook():
    model, x = tiny(), pictures(20)
    loss = model.loss()
    state = {name: value.clone() for name, value in model.codebook.state_dict().items()}
    loss.eval()
    loss(x)
    assert all(torch.equal(value, state[name]) for name, value in model.codebook.state_dict().items())
    loss.train()
    loss(x)
    assert not torch.equal(model.codebook.counts, state["counts"])


def test_a_recorded_step_updates_the_codebook_too():
    model, x = tiny(), pictures(16)
    other = tiny()
    other.load_state_dict(model.state_dict())
    recorded, loss = infer.compile(model.loss(), backend="eager"), other.loss()
    for _ in range(3):
        torch.testing.assert_close(recorded(x), loss(x))
        torch.testing.assert_close(model.codebook.state_dict(), other.codebook.state_dict())
    recorded.eval()
    counts = model.codebook.counts.clone()
    recorded(x)
    assert torch.equal(model.codebook.counts, counts)


# ------------------------------------------------------------------------------------------------------------ law of the data


@pytest.mark.parametrize("learned", [False, True])
def test_the_bound_lies_below_the_sum_over_all_codes(learned):
    model = tiny(made_code_prior((2,), 3, hidden=(8,)) if learned else None)
    x = torch.tensor(list(itertools.product((0.0, 1.0), repeat=6)), dtype=torch.float64)
    codes = torch.tensor(list(itertools.product(range(3), repeat=2)))
    joint = model.code_law().log_prob(codes) + model.decode(codes).log_prob(x[:, None])
    exact = joint.logsumexp(1)
    assert exact.logsumexp(0).item() == pytest.approx(0.0, abs=1e-12)  # the law of x has mass one
    estimate = model.distribution().log_prob_estimate(x, 3)
    assert estimate.kind == "lower"
    assert (estimate.value < exact).all()
    assert (estimate.stderr == 0).all()
    # the bound is the joint at the encoder's code, and the gap the divergence of a point mass from the posterior
    place = (model.codes(x) * torch.tensor([3, 1])).sum(-1, keepdim=True)
    torch.testing.assert_close(estimate.value, joint.gather(1, place).squeeze(1))
    posterior = (joint - exact[:, None]).gather(1, place).squeeze(1)
    torch.testing.assert_close(exact - estimate.value, -posterior)


def test_the_uniform_prior_costs_its_logarithm():
    model, x = tiny(), pictures(7)
    assert model.code_bits == pytest.approx(2 * math.log2(3))
    bound = model.distribution().elbo(x)
    torch.testing.assert_close(bound, model.decode(model.codes(x)).log_prob(x) - model.code_bits * math.log(2))


def test_draws_are_codes_of_the_prior_decoded():
    model = tiny(made_code_prior((2,), 3, hidden=(8,)))
    p = model.distribution()
    assert p.sample((4, 2)).shape == (4, 2, 6)
    assert p.sample((0,)).shape == (0, 6)
    joint = p.sample_joint((5,))
    assert joint["z"].dtype == torch.long
    assert joint["z"].shape == (5, 2)
    torch.testing.assert_close(
        p.log_joint(joint["x"], {"z": joint["z"]}),
        model.code_law().log_prob(joint["z"]) + model.decode(joint["z"]).log_prob(joint["x"]),
    )


def test_batches_of_any_shape_and_images():
    encoder = nn.Conv2d(1, 3, 2, stride=2)
    network = nn.ConvTranspose2d(3, 2, 2, stride=2)
    decoder = NetworkLaw(network, NormalElement(), event_shape=(1, 4, 4), input_shape=(3, 2, 2))
    model = VQVAE(encoder, decoder, Codebook(5, 3), code_shape=(2, 2))
    for batch in ((), (7,), (2, 3), (0,)):
        x = torch.randn(*batch, 1, 4, 4)
        assert model.codes(x).shape == (*batch, 2, 2)
        assert model.decode(model.codes(x)).batch_shape == batch
        assert model.distribution().elbo(x).shape == batch
    assert torch.equal(model.grid(model.rows(model.encode(x))), model.encode(x))
    assert model.perplexity(torch.randn(50, 1, 4, 4)) <= 5
    with pytest.raises(ValueError, match=r"must end with \(1, 4, 4\)"):
        model.codes(torch.zeros(3, 4, 4))


# ------------------------------------------------------------------------------------------------------------------- training


def test_two_stages_through_fit():
    """Reconstruction first, then the prior; what the second stage gains is what the prior gains."""
    model, x = tiny(made_code_prior((2,), 3, hidden=(16,))), pictures(256)
    model.initialize(x)
    batches = list(x.split(64))
    first = fit(model.loss(), batches, lambda p: torch.optim.Adam(p, lr=0.02), epochs=20, progress=False)
    assert first.losses[-1] < 0.75 * first.losses[0]
    model.eval()
    weights = [parameter.clone() for parameter in model.decoder.parameters()]
    before, codes = model.distribution().elbo(x).mean(), model.codes(x)
    gain = -model.code_law().log_prob(codes).mean()
    fit(model.prior_loss(), batches, lambda p: torch.optim.Adam(p, lr=0.02), epochs=20, progress=False)
    assert all(torch.equal(old, new) for old, new in zip(weights, model.decoder.parameters(), strict=True))
    assert torch.equal(model.codes(x), codes)
    gain = gain + model.code_law().log_prob(codes).mean()
    after = model.distribution().elbo(x).mean()
    torch.testing.assert_close(after - before, gain)
    entropy = torch.bincount(codes @ torch.tensor([3, 1])).double()
    entropy = torch.special.entr(entropy / entropy.sum()).sum()
    assert -model.code_law().log_prob(codes).mean().item() == pytest.approx(entropy.item(), abs=0.05)  # the best there is


def test_state_of_a_trained_model_can_be_loaded():
    model, x = tiny(made_code_prior((2,), 3, hidden=(8,))), pictures(30)
    model.loss()(x)
    other = tiny(made_code_prior((2,), 3, hidden=(8,)))
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other.distribution().elbo(x), model.distribution().elbo(x), rtol=0, atol=0)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="`commitment` must not be negative"):
        VQLoss(tiny(), -1.0)
    with pytest.raises(ValueError, match="must have a learned prior"):
        CodePriorLoss(tiny())
    wrong = VQVAE(nn.Linear(6, 5), tiny().decoder, Codebook(3, 2), (2,))
    with pytest.raises(ValueError, match=r"`encoder` must give 4 numbers for codes of shape \(2,\), 2 a code; got \(5,\)"):
        wrong.codes(torch.zeros(3, 6))
    with pytest.raises(ValueError, match="`event_shape` must be given"):
        VQVAE(nn.Identity(), nn.Identity(), Codebook(3, 2), (2,)).codes(torch.zeros(3, 4))


def test_a_prior_may_be_any_incremental_network():
    prior = made_code_prior((2, 2), 4, hidden=(8,))
    assert isinstance(prior, AutoregressiveLaw)
    assert prior.network.levels[1] == (1,)
    assert prior().sample((3,)).max() < 4


def test_the_second_stage_leaves_the_encoder_as_it_is():
    """Batch statistics would move in training mode, and with them the codes."""
    model, counted = tiny(made_code_prior((2,), 3, hidden=(8,))), nn.BatchNorm1d(6).double()
    model.encoder = nn.Sequential(counted, model.encoder)
    model.prior_loss().train()(pictures(8))
    assert counted.num_batches_tracked == 0
    assert counted.training
