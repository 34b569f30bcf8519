"""The three laws of a categorical process against matrices, and against Bayes' rule by enumeration."""

import itertools
import math

import pytest
import torch

from probgen.distributions.chains import (
    AbsorbingJumps,
    CategoricalProcess,
    GeneratorJumps,
    JumpKernel,
    LinearKeep,
    OrderedMasking,
    TimeGrid,
    UniformJumps,
    cosine_schedule,
    gaussian_rates,
    linear_keep_schedule,
)
from probgen.distributions.chains.categorical_kernels import log_keep

KINDS = ["uniform", "absorbing", "gaussian"]


def matrices(process, s, t):
    """The transition matrix as the process tells it, row by row, ``[states, states]``."""
    return process.transition(torch.arange(process.states)[:, None], s, t).probs[:, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_transitions_compose_and_sum_to_one(kind):
    process = CategoricalProcess(5, (1,), kind, cosine_schedule()).double()
    first, second, both = matrices(process, 0.1, 0.3), matrices(process, 0.3, 0.7), matrices(process, 0.1, 0.7)
    torch.testing.assert_close(first @ second, both)
    torch.testing.assert_close(both.sum(1), torch.ones(process.states).double())
    marginal = process.marginal(torch.arange(5)[:, None], 0.7).probs[:, 0]
    torch.testing.assert_close(matrices(process, 0.0, 0.1)[:5] @ both, marginal)


@pytest.mark.parametrize("kind", KINDS)
def test_posterior_is_bayes_rule(kind):
    process = CategoricalProcess(4, (1,), kind).double()
    s, t = 0.35, 0.6
    to_s, step, to_t = matrices(process, 0.0, s), matrices(process, s, t), matrices(process, 0.0, t)
    for x_0 in range(4):
        for x_t in range(process.states):
            if float(to_t[x_0, x_t]) == 0.0:
                continue
            expected = to_s[x_0] * step[:, x_t] / to_t[x_0, x_t]
            law = process.posterior(torch.tensor([x_t]), torch.tensor([x_0]), s, t)
            torch.testing.assert_close(law.probs[0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_reverse_is_the_mixture_of_posteriors(kind):
    torch.manual_seed(0)
    process = CategoricalProcess(4, (2,), kind).double()
    to_s, step, to_t = matrices(process, 0.0, 0.2), matrices(process, 0.2, 0.5), matrices(process, 0.0, 0.5)
    near, far = process.schedule.level(0.2), process.schedule.level(torch.tensor([0.5, 0.5]))
    x_t = torch.tensor([[1, process.states - 1], [0, 3]])
    log_probs = process.possible(torch.randn(2, 2, 4).double(), x_t, far)
    got = process.reverse(log_probs, x_t, near, far).probs
    for n in range(2):
        for d in range(2):
            ratio = log_probs[n, d].exp() / to_t[:4, x_t[n, d]]
            expected = (ratio.nan_to_num(0.0)[:, None] * to_s[:4]).sum(0) * step[:, x_t[n, d]]
            torch.testing.assert_close(got[n, d], expected)


def test_closed_forms_are_those_of_the_rate_matrices():
    """The uniform and the absorbing kernel, and an independent matrix exponential."""
    schedule = cosine_schedule()
    uniform = torch.full((4, 4), 0.25).double() - torch.eye(4)
    absorbing = torch.zeros(5, 5).double()
    absorbing[:4, :4], absorbing[:4, 4] = -torch.eye(4), 1.0
    for kind, rates in (("uniform", uniform), ("absorbing", absorbing)):
        closed = CategoricalProcess(4, (1,), kind, schedule).double()
        general = CategoricalProcess(4, (1,), GeneratorJumps(rates, 4), schedule).double()
        duration = torch.log(schedule.log_snr(0.2).sigmoid() / schedule.log_snr(0.6).sigmoid())
        torch.testing.assert_close(matrices(closed, 0.2, 0.6), torch.linalg.matrix_exp(duration * rates))
        torch.testing.assert_close(matrices(closed, 0.2, 0.6), matrices(general, 0.2, 0.6))
        torch.testing.assert_close(closed.prior().probs, general.prior().probs)


def test_small_probabilities_have_small_relative_errors():
    """The chance of a long jump in a short time, against the first terms of the series in time."""
    rates = gaussian_rates(16, 0.1)
    process = CategoricalProcess(16, (1,), GeneratorJumps(rates), linear_keep_schedule()).double()
    t = 1e-9
    tau = -torch.log1p(-torch.tensor(t, dtype=torch.float64))
    got = process.marginal(torch.tensor([0]), t).log_prob(torch.tensor([[1], [8], [15]])).exp()
    assert float(rates[0, 15]) < 1e-18
    terms = [torch.linalg.matrix_power(rates, n)[0] * tau**n / math.factorial(n) for n in (1, 2, 3)]
    torch.testing.assert_close(got, sum(terms)[[1, 8, 15]], rtol=1e-6, atol=0.0)


def test_keep_probability_is_the_second_eigenvalue():
    for kind in KINDS:
        process = CategoricalProcess(6, (1,), kind).double()
        eigenvalues = torch.linalg.eigvals(matrices(process, 0.2, 0.6)).real.sort(descending=True).values
        torch.testing.assert_close(eigenvalues[1], torch.tensor(0.4 / 0.8).double())


def test_keep_probabilities_multiply_and_have_exact_limits():
    schedule = cosine_schedule(terminal_log_snr=None)
    levels = [schedule.level(t) for t in (0.0, 0.2, 0.7, 1.0)]
    steps = [log_keep(s, t) for s, t in itertools.pairwise(levels)]
    torch.testing.assert_close(steps[0] + steps[1], log_keep(levels[0], levels[2]))
    assert float(log_keep(levels[0], levels[0])) == 0.0
    assert float(steps[2].exp()) == 0.0


def test_linear_keep_is_an_equal_share_in_every_step():
    schedule, grid = LinearKeep(), TimeGrid(10)
    keep = schedule.log_snr(grid.times).sigmoid()
    torch.testing.assert_close(keep, 1 - grid.times)
    share = 1 - keep[1:] / keep[:-1]
    torch.testing.assert_close(share, 1 / torch.arange(10, 0, -1).double())
    torch.testing.assert_close(schedule.t_of_log_snr(schedule.log_snr(grid.times)), grid.times)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_at_the_end(kind):
    process = CategoricalProcess(4, (3,), kind)
    law = process.marginal(torch.tensor([0, 1, 3]), 1.0)
    torch.testing.assert_close(law.probs, process.prior().probs)
    torch.testing.assert_close(law.log_probs[0], process.kernel.noise(process.anchor))


@pytest.mark.parametrize("kind", KINDS)
def test_laws_take_any_batch_of_times_and_dtype(kind):
    process = CategoricalProcess(4, (2, 3), kind).double()
    x, t = torch.zeros(5, 7, 2, 3, dtype=torch.long), torch.rand(7)
    law = process.marginal(x, t)
    assert law.batch_shape == (5, 7)
    assert law.event_shape == (2, 3)
    assert law.log_probs.dtype == torch.float64
    assert process.marginal(x[:0], t).sample().shape == (0, 7, 2, 3)
    one = process.marginal(x[2, 4], float(t[4]))
    torch.testing.assert_close(law.probs[2, 4], one.probs)


def test_ordered_masking_masks_from_the_end():
    kernel = OrderedMasking(3, (2, 2), order=[3, 0, 1, 2])
    schedule = linear_keep_schedule()
    masked = kernel.masked(schedule.level(torch.tensor([0.0, 0.25, 0.5, 1.0])))
    assert masked.flatten(1).int().tolist() == [[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 1, 0], [1, 1, 1, 1]]


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="`kind` must be"):
        CategoricalProcess(3, (2,), "normal")
    with pytest.raises(ValueError, match="`kind` is a kernel for 4 values"):
        CategoricalProcess(3, (2,), UniformJumps(4))
    with pytest.raises(ValueError, match="`values` must be at least 2"):
        AbsorbingJumps(1)
    with pytest.raises(ValueError, match="square matrix"):
        GeneratorJumps(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="non-negative off the diagonal"):
        GeneratorJumps(torch.ones(3, 3))
    with pytest.raises(ValueError, match="all rates are zero"):
        GeneratorJumps(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="`width` positive"):
        gaussian_rates(4, 0.0)
    with pytest.raises(ValueError, match="permutation"):
        OrderedMasking(2, (3,), [0, 1, 1])
    with pytest.raises(NotImplementedError, match="row"):
        JumpKernel(2, 2).row(torch.zeros(1), None, None, torch.zeros(()), 1)
