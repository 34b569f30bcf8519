"""M2: exact enumeration against sums by hand and Pyro's, against a model whose evidence is known, mixed batches, errors."""

import copy
import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import Predictive, Trace_ELBO, TraceEnum_ELBO
from torch import nn

import probgen as pg
from probgen.distributions import standard_normal
from probgen.vae import VAE, Classifier, SemiSupervisedLoss, SemiSupervisedVAE, mlp_classifier, mlp_vae


def small(prior=None):
    return SemiSupervisedVAE(mlp_vae((6,), 2, hidden=(8,), context_shape=(3,)), mlp_classifier((6,), 3, hidden=(8,)), prior)


def binary(*batch):
    return torch.rand(*batch, 6).round()


PRIOR = torch.tensor([0.5, 0.3, 0.2])


class Law(nn.Module):
    """Normal with a mean linear in z or x and in the label."""

    def __init__(self, gain, shift, std):
        super().__init__()
        self.gain, self.shift, self.std = gain, shift, std

    def forward(self, x, label):
        return dist.Normal(self.gain * x + self.shift * (label * torch.arange(3.0)).sum(-1, keepdim=True), self.std).to_event(1)


class Bayes(nn.Module):
    """The exact posterior of the label, as logits."""

    def forward(self, x):
        return PRIOR.log() + dist.Normal(3 * torch.arange(3.0), 2**0.5).log_prob(x)


def exact():
    """p(x | y) = N(3 y, 2), with the exact posteriors of z and y."""
    vae = VAE(standard_normal(1), Law(1.0, 3.0, 1.0), Law(0.5, -1.5, 0.5**0.5), context_shape=(3,), event_shape=(1,))
    return SemiSupervisedVAE(vae, Classifier(Bayes(), (1,), 3), PRIOR)


def test_the_sum_over_labels_by_hand():
    model, x = small(PRIOR), binary(5)
    torch.manual_seed(1)
    found = model.bound(x)
    torch.manual_seed(1)
    bounds = model.labeled_bounds(x)
    q = model.classify(x).probs
    by_hand = sum(q[:, k] * (bounds[k] - q[:, k].log()) for k in range(3))
    torch.testing.assert_close(found, by_hand)


def test_labeled_bounds_are_those_of_the_conditional_model():
    """With the exact posterior of z, every draw of the bound without closed forms is log p(x | y)."""
    model, x = exact(), torch.tensor([[0.3], [4.0]])
    for k in range(3):
        truth = dist.Normal(3.0 * k, 2**0.5).log_prob(x).squeeze(-1)
        law = model.distribution(torch.full((2,), k))
        torch.testing.assert_close(law.iwae(x, 2), truth)


@pytest.mark.statistical(false_alarm=1e-9)
def test_exact_posteriors_give_the_evidence():
    model, x = exact(), torch.linspace(-2, 9, 6).unsqueeze(-1)
    evidence = torch.logsumexp(PRIOR.log() + dist.Normal(3 * torch.arange(3.0), 2**0.5).log_prob(x), -1)
    bound = model.bound(x, num_draws=20_000)
    assert (bound - evidence).abs().max() < 0.1  # the closed-form KL leaves noise in the reconstruction: s.e. below 0.015


@pytest.mark.statistical(false_alarm=1e-9)
def test_no_other_classifier_gives_a_higher_bound():
    model, x = exact(), torch.linspace(-2, 9, 6).unsqueeze(-1)
    other = SemiSupervisedVAE(model.vae, Classifier(nn.Linear(1, 3), (1,), 3), PRIOR)
    torch.manual_seed(1)
    best = model.bound(x, 2000)
    torch.manual_seed(1)
    assert bool((other.bound(x, 2000) < best + 0.05).all())


@pytest.mark.statistical(false_alarm=1e-9)
def test_pyros_enumeration_gives_the_same_loss():
    """Same draws: Pyro draws z for every label in one call too, [K, n, latent]. Then means, to seven standard errors."""
    model, x = small(PRIOR), binary(5)
    unlabeled = torch.full((5,), -1)
    elbo = TraceEnum_ELBO(max_plate_nesting=1)
    torch.manual_seed(1)
    theirs = elbo.differentiable_loss(model.model, pyro.infer.config_enumerate(model.guide), x)
    torch.manual_seed(1)
    q_z = model.vae.encode(x, torch.eye(3)[:, None].expand(3, 5, 3))
    z = q_z.rsample()
    context = torch.eye(3)[:, None].expand(3, 5, 3)
    ratio = model.vae.decode(z, context).log_prob(x) + standard_normal(2).log_prob(z) - q_z.log_prob(z)
    q = model.classify(x)
    bounds = ratio + PRIOR.log()[:, None]
    by_hand = -(q.probs.T * (bounds - q.logits.T)).sum()
    torch.testing.assert_close(theirs, by_hand)
    ours = torch.stack([model.loss()(x, unlabeled).detach() for _ in range(200)])  # and with the closed-form divergence
    pyros = torch.stack([elbo.differentiable_loss(model.model, model.guide, x).detach() for _ in range(40)])
    error = math.hypot(ours.std() / 200**0.5, pyros.std() / 40**0.5)
    assert abs(ours.mean() - pyros.mean()) < 7 * error


@pytest.mark.statistical(false_alarm=1e-9)
def test_labeled_loss_is_the_programs_loss():
    model, x, y = small(PRIOR), binary(5), torch.tensor([0, 2, 1, 1, 0])
    torch.manual_seed(1)
    bounds = model.labeled_bounds(x)
    expected = -(bounds.gather(0, y[None]).sum() + 3.0 * model.classify(x).log_prob(y).sum())
    torch.manual_seed(1)
    torch.testing.assert_close(model.loss(classification_weight=3.0)(x, y), expected)
    with torch.no_grad():
        programs = pg.infer.ELBO(particles=300, vectorize=True)(model.model, model.guide)(x, y)
        averaged = -model.labeled_bounds(x, 300).gather(0, y[None]).sum()
    assert abs(programs - averaged) < 1.0  # their difference has a standard error of 0.12


def test_mixed_batch_is_the_sum_of_its_parts():
    model, x = small(), binary(4)
    y = torch.tensor([2, -1, 0, -1])
    torch.manual_seed(1)
    mixed = model.loss(2.0)(x, y)
    torch.manual_seed(1)
    bounds, law = model.labeled_bounds(x), model.classify(x)
    log_q = law.logits.T
    parts = [
        bounds[2, 0] + 2 * log_q[2, 0],
        (log_q[:, 1].exp() * (bounds[:, 1] - log_q[:, 1])).sum(),
        bounds[0, 2] + 2 * log_q[0, 2],
        (log_q[:, 3].exp() * (bounds[:, 3] - log_q[:, 3])).sum(),
    ]
    torch.testing.assert_close(mixed, -sum(parts))


def test_labels_of_unlabeled_data_do_not_leak():
    model, x = small(), binary(4)
    torch.manual_seed(1)
    first = model.loss()(x, torch.tensor([-1, -1, -1, 2]))
    torch.manual_seed(1)
    assert torch.equal(first, model.loss()(x, torch.tensor([-7, -1, -3, 2])))


def test_programs():
    model = small(PRIOR)
    draws = Predictive(model.model, num_samples=3)(size=4)
    assert draws["x"].shape == (3, 4, 6)
    assert draws["y"].shape == (3, 4)
    y = torch.tensor([0, 1, 2])
    assert model.model(y=y).shape == (3, 6)
    assert model.distribution(y).sample((2,)).shape == (2, 3, 6)
    assert model.guide(binary(5)).shape == (5, 2)


def test_any_batch_empty_and_double():
    model = small().double()
    x = binary(2, 3).double()
    assert model.bound(x).shape == (2, 3)
    assert model.bound(x).dtype == torch.float64
    assert model.labeled_bounds(x[:0]).shape == (3, 0, 3)
    assert model.loss()(x[0, :0], torch.zeros(0, dtype=torch.long)) == 0


def test_copies_files_and_compiled_steps(tmp_path):
    model, x, y = small(PRIOR), binary(4), torch.tensor([2, -1, 0, -1])
    pg.save(model, tmp_path / "model.safetensors")
    for other in (copy.deepcopy(model), pg.load(tmp_path / "model.safetensors")):
        torch.testing.assert_close(other.classify(x).probs, model.classify(x).probs)
        torch.testing.assert_close(other.label_law().probs, PRIOR)
    loss = model.loss()
    compiled = pg.infer.compile(loss, backend="eager")
    torch.manual_seed(1)
    expected = loss(x, y)
    torch.manual_seed(1)
    torch.testing.assert_close(compiled(x, y), expected)


def test_few_labels_and_structure_suffice():
    """Three clusters, one label each; a classifier of three points alone would have to guess the boundary."""
    centers = torch.tensor([[0.9, 0.9, 0.1, 0.1, 0.1, 0.1], [0.1, 0.1, 0.9, 0.9, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1, 0.9, 0.9]])
    truth = torch.arange(300) % 3
    x = torch.bernoulli(centers[truth])
    y = torch.full((300,), -1)
    y[:3] = truth[:3]
    x[:3] = centers[:3].round()
    model = small()
    pg.infer.fit(
        model.loss(classification_weight=10.0), [(x, y)], lambda p: torch.optim.Adam(p, lr=0.02), steps=120, progress=False
    )  # fmt: skip
    assert (model.classify(x).probs.argmax(-1) == truth).float().mean() > 0.85


@pytest.mark.parametrize("prior", [torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.6, 0.2]), torch.tensor([0.5, 0.5, 0.0])])
def test_prior_is_checked(prior):
    with pytest.raises(ValueError, match="`label_probabilities` must be 3 positive numbers that sum to one"):
        small(prior)


@pytest.mark.parametrize("labels", [torch.tensor([1]), torch.tensor([1, 1, 1]), torch.ones(5, 1, dtype=torch.long)])
def test_there_must_be_one_label_a_datum(labels):
    """One label was given to all data by broadcasting, and fewer labels than data went to the first ones."""
    with pytest.raises(ValueError, match=r"`y` must hold one label for each datum, \(5,\); got shape"):
        small().loss()(binary(5), labels)


@pytest.mark.parametrize("labels", [torch.tensor([0, 2, 1, 1, 0]), None])
def test_a_batch_of_the_programs_stands_for_the_data(labels):
    model, x = small(PRIOR), binary(5)
    objective, found = TraceEnum_ELBO(max_plate_nesting=1) if labels is None else Trace_ELBO(), []
    for size in (5, 50):
        torch.manual_seed(1)
        with torch.no_grad():
            found.append(objective.loss(model.model, model.guide, x, labels, size=size))
    assert found[1] == pytest.approx(10 * found[0], rel=1e-5)
    with pytest.raises(ValueError, match="`size` must be at least the number of data, 5; got 2"):
        model.model(x, size=2)


def test_errors():
    with pytest.raises(ValueError, match=r"one-hot label of 3 classes as context; got None"):
        SemiSupervisedVAE(mlp_vae((6,), 2), mlp_classifier((6,), 3))
    with pytest.raises(ValueError, match="`classification_weight` must not be negative; got -1"):
        SemiSupervisedLoss(small(), -1.0)
