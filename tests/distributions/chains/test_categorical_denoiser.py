"""Denoisers of integers: what is impossible, contexts, shapes, and the oracle."""

import copy
import pickle

import pytest
import torch

from probgen.distributions._checks import ContextError
from probgen.distributions.chains import CategoricalDenoised, CategoricalDenoiser, CategoricalProcess, IndependentValues


class Constant(torch.nn.Module):
    def __init__(self, values, context_shape=None):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.arange(values).float())
        self.context_shape = context_shape

    def forward(self, x, log_snr, context=None):
        logits = self.logits.expand(*x.shape, len(self.logits))
        return logits if context is None else logits * context.sum(-1)[:, None, None]


def test_what_is_not_masked_is_known():
    denoiser = CategoricalDenoiser(Constant(3), CategoricalProcess(3, (2,), "absorbing"))
    denoised = denoiser(torch.tensor([[1, 3]]), 0.5)
    assert denoised.log_probs[0, 0].exp().tolist() == [0.0, 1.0, 0.0]
    torch.testing.assert_close(denoised.log_probs[0, 1], torch.arange(3.0).log_softmax(0))
    assert denoised.mode.tolist() == [[1, 2]]
    assert bool((denoised.sample((20,))[:, 0, 0] == 1).all())
    kernel = denoised.reverse(denoiser.process.schedule.level(0.2))
    assert bool((kernel.sample((20,))[:, 0, 0] == 1).all()), "what is revealed stays"


def test_times_and_batches():
    denoiser = CategoricalDenoiser(Constant(3), CategoricalProcess(3, (2,), "uniform"))
    x = torch.randint(3, (4, 5, 2))
    denoised = denoiser(x, torch.rand(5) * 0.9 + 0.1)
    assert denoised.batch_shape == (4, 5)
    assert denoised.event_shape == (2,)
    assert denoised.log_prob(x).shape == (4, 5)
    assert denoised.expand((3, 4, 5)).sample().shape == (3, 4, 5, 2)
    assert isinstance(denoised, CategoricalDenoised)


def test_contexts_are_passed_and_checked():
    denoiser = CategoricalDenoiser(Constant(3, context_shape=(2,)), CategoricalProcess(3, (2,), "uniform"))
    x = torch.randint(3, (5, 2))
    flat = denoiser(x, 0.5, torch.zeros(5, 2)).log_probs
    torch.testing.assert_close(flat, torch.full_like(flat, 1 / 3).log())
    with pytest.raises(ContextError, match="got None"):
        denoiser(x, 0.5)
    with pytest.raises(ContextError, match=r"trailing shape \(2,\)"):
        denoiser(x, 0.5, torch.zeros(5, 3))
    with pytest.raises(ContextError, match="must broadcast to that of `x_t`"):
        denoiser(x, 0.5, torch.zeros(4, 2))
    with pytest.raises(ContextError, match="takes no context"):
        CategoricalDenoiser(Constant(3), denoiser.process)(x, 0.5, torch.zeros(5, 2))


def test_wrong_inputs_raise():
    process = CategoricalProcess(3, (2,), "uniform")
    with pytest.raises(ValueError, match="must hold integers"):
        CategoricalDenoiser(Constant(3), process)(torch.zeros(1, 2), 0.5)
    with pytest.raises(ValueError, match="event shape"):
        CategoricalDenoiser(Constant(3), process)(torch.zeros(1, 3, dtype=torch.long), 0.5)
    with pytest.raises(ValueError, match="must return logits of shape"):
        CategoricalDenoiser(Constant(4), process)(torch.zeros(1, 2, dtype=torch.long), 0.5)
    with pytest.raises(ValueError, match="`logits` must have shape"):
        IndependentValues(process, torch.zeros(3, 2))


@pytest.mark.parametrize("kind", ["uniform", "absorbing", "gaussian"])
def test_oracle_is_bayes_rule(kind):
    process = CategoricalProcess(3, (1,), kind).double()
    data = torch.tensor([[0.5, 0.3, 0.2]]).double()
    oracle = CategoricalDenoiser(IndependentValues(process, data.log()), process)
    seen = process.marginal(torch.arange(3)[:, None], 0.4).probs[:, 0]
    for state in range(process.states):
        joint = data[0] * seen[:, state]
        got = oracle(torch.tensor([state]), 0.4).log_probs[0].exp()
        torch.testing.assert_close(got, joint / joint.sum())


def test_copies_and_pickles():
    denoiser = CategoricalDenoiser(Constant(3), CategoricalProcess(3, (2,), "gaussian"))
    x = torch.randint(3, (5, 2))
    for other in (copy.deepcopy(denoiser), pickle.loads(pickle.dumps(denoiser))):
        torch.testing.assert_close(other(x, 0.5).log_probs, denoiser(x, 0.5).log_probs)
    assert denoiser.half().process.kernel.rates.dtype == torch.float64, "rates stay exact"
    assert denoiser.reference is denoiser.process.anchor
