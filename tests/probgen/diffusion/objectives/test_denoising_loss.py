"""The denoising loss: one number for every parameterization, unbiased times, the chain's ELBO at one site."""

import copy
import math
import pickle

import pyro
import pytest
import torch
from pyro.infer import Trace_ELBO

import probgen as pg
from probgen.diffusion.objectives import (
    WEIGHTINGS,
    ContinuousTimes,
    DenoisingLoss,
    LossAwareSteps,
    Steps,
    logit_normal_time,
    min_snr,
)
from probgen.diffusion.objectives.denoising_loss import drop_context, resolve_times
from probgen.distributions.chains import LearnedVariance, NetworkDenoiser, TimeGrid
from probgen.distributions.chains.parameterization import PARAMETERIZATIONS
from tests.probgen.diffusion.beds import Constant, bed

GRID = TimeGrid(20)


class Speaking(torch.nn.Module):
    """A network that says, in the language of its denoiser, that the data are tanh of what it sees."""

    def __init__(self):
        super().__init__()
        self.denoiser = ()

    def forward(self, x, log_snr, context=None):
        denoiser = self.denoiser[0]
        level = denoiser.schedule.level(denoiser.schedule.t_of_log_snr(log_snr.double()))
        skip, out = (value.unsqueeze(-1) for value in denoiser.coefficients(level))
        x_t = x * torch.sqrt((level.alpha * denoiser.data_std).square() + level.sigma.square()).unsqueeze(-1)
        return (torch.tanh(x_t) - skip * x_t) / out


def speaking(name, schedule):
    network = Speaking()
    denoiser = NetworkDenoiser(network, schedule, (2,), parameterization=name, grid=GRID, data_std=0.8)
    network.denoiser = (denoiser,)
    return pg.diffusion.Diffusion(denoiser, schedule, (2,), GRID)


@pytest.mark.parametrize("weighting", [*(name for name in WEIGHTINGS if name != "edm"), "elbo"])
def test_the_loss_does_not_depend_on_what_the_network_predicts(weighting):
    schedule, x = pg.diffusion.cosine_schedule(), torch.randn(200, 2).double()
    values = {}
    for name in [*PARAMETERIZATIONS, "mean"]:
        torch.manual_seed(1)
        values[name] = speaking(name, schedule).denoising_loss(weighting, times=Steps(GRID)).per_datum(x)
    for name, value in values.items():
        assert torch.allclose(value, values["x0"], rtol=1e-5), name


def test_the_simple_loss_is_the_squared_error_of_the_noise():
    d, oracle = bed(grid=20)
    x = torch.randn(50, 1).double()
    torch.manual_seed(3)
    loss = d.denoising_loss("simple").per_datum(x)
    torch.manual_seed(3)
    draws = Steps(GRID)(50)
    noise = torch.randn_like(x)
    level = d.schedule.level(draws.t)
    x_t = level.alpha.unsqueeze(-1) * x + level.sigma.unsqueeze(-1) * noise
    assert torch.allclose(loss, (oracle(x_t, draws.t).eps - noise).square().sum(-1))
    assert loss.unique().numel() == 50


def test_every_datum_has_its_own_time():
    d, _ = bed(grid=1000)
    x = torch.full((200, 1), 0.1).double()
    seen = []
    loss = d.denoising_loss("simple", times=Steps(d.grid))
    loss.times.register_forward_hook(lambda module, args, draws: seen.append(draws.step))
    loss(x)
    assert seen[0].unique().numel() == 200


@pytest.mark.parametrize("times", ["steps", "importance", Steps(GRID, torch.arange(1, 21)), None])
def test_the_bound_is_exact_by_enumeration_over_the_steps(times):
    """With a constant prediction no term depends on the noise but the decoder's, so quadrature over p is exact."""
    schedule = pg.diffusion.cosine_schedule()
    d = pg.diffusion.Diffusion(Constant(schedule, (2,)), schedule, (2,), GRID)
    loss = d.denoising_loss("elbo", times=times)
    x = torch.randn(1, 2).double()
    probabilities = loss.times.law.probs
    middles = probabilities.cumsum(0) - probabilities / 2
    draws = loss.times.at_quantiles(middles)
    assert draws.step.tolist() == list(range(1, 21))
    terms = loss._losses(x.expand(20, 2), draws, None)
    estimate = (probabilities * 20 * draws.ratio * terms).sum()
    exact = pg.diffusion.bound_terms(d, x).nats[0, :-1].sum()
    assert torch.allclose(estimate, exact)


@pytest.mark.parametrize("times", ["steps", "importance"])
@pytest.mark.statistical(false_alarm=1e-8)
def test_one_site_has_the_expectation_of_the_chain(times):
    # means of both sides to 6 standard errors: 0.1 nats of 5; a bound without the decoder, or with N - 1 for N, is off by more
    network = pg.nn.DenoisingMLP(1, hidden=(8,), out_features=2).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    d = pg.diffusion.Diffusion(network, pg.diffusion.linear_schedule(6, 0.1, 0.6), (1,), 6, spread=LearnedVariance())
    x = torch.tensor([[0.4]]).double().expand(10_000, 1)
    loss = d.denoising_loss("elbo", times=times)
    for _ in range(3):
        loss.per_datum(x)
    with torch.no_grad():
        one = loss.per_datum(x)
        guide = pyro.poutine.trace(d.guide).get_trace(x)
        model = pyro.poutine.trace(pyro.poutine.replay(d.model, guide)).get_trace(x)
        guide.compute_log_prob()
        model.compute_log_prob()
        sites = [(name, 1) for name in model.stochastic_nodes + model.observation_nodes if name.startswith("x_")]
        whole = -sum(sign * model.nodes[name]["log_prob"] for name, sign in sites)
        whole = whole + sum(guide.nodes[name]["log_prob"] for name in guide.stochastic_nodes if name.startswith("x_"))
    error = math.sqrt(one.var() / len(one) + whole.var() / len(whole))
    assert abs(one.mean() - whole.mean()) < 6 * error
    assert error < 0.07


def test_one_site_in_pyro_under_scale_and_subsampling():
    schedule = pg.diffusion.cosine_schedule()
    d = pg.diffusion.Diffusion(Constant(schedule, (2,)), schedule, (2,), 5)
    x = torch.randn(4, 2).double()

    def loss(model):
        torch.manual_seed(0)
        return Trace_ELBO().differentiable_loss(model, lambda *args: None, x)

    plain = loss(d.single_site_model)
    torch.manual_seed(0)
    assert torch.allclose(plain, d.denoising_loss("elbo").per_datum(x).sum())
    assert torch.allclose(loss(pyro.poutine.scale(d.single_site_model, 0.25)), plain / 4)
    with pyro.poutine.trace() as trace:
        generated = d.single_site_model(size=3)
    assert generated.shape == (3, 2)
    assert [name for name in trace.trace.stochastic_nodes if name != "data"] == ["x_0"]


@pytest.mark.statistical(false_alarm=1e-8)
def test_corrected_times_give_the_uniform_average():
    # E over uniform t of the x_0 loss of a constant prediction is its square, whatever law draws t
    schedule = pg.diffusion.cosine_schedule()
    d = pg.diffusion.Diffusion(Constant(schedule, (1,)), schedule, (1,), 100)
    x = torch.full((20_000, 1), 1.3).double()
    for times in ("steps", "continuous", "importance", ContinuousTimes(logit_normal_time(0.3, 1.5))):
        loss = d.denoising_loss("v", times=times).per_datum(x)
        uncorrected = d.denoising_loss("x0", times=times, correct_times=False).per_datum(x)
        assert torch.allclose(uncorrected, torch.ones(20_000).double())
        # weights (SNR + 1) bounded in variance only away from the data: compare where the loss is the same constant
        assert loss.isfinite().all()
    ratios = d.denoising_loss("x0", times=ContinuousTimes(logit_normal_time(0.0, 1.2))).per_datum(x)
    assert abs(ratios.mean() - 1) < 6 * ratios.std() / math.sqrt(20_000)
    assert ratios.std() > 0.1


def test_zero_signal_is_a_limit():
    schedule = pg.diffusion.flow_matching_schedule()  # no signal at t = 1
    network = pg.nn.DenoisingMLP(2, hidden=(8,))
    d = pg.diffusion.Diffusion(network, schedule, (2,), 4, parameterization="velocity")
    finite_network = pg.diffusion.Diffusion(NoSnr(network), schedule, (2,), 4, parameterization="velocity")
    last = torch.tensor([1e-9, 1e-9, 1e-9, 1.0])
    for weighting in ("simple", "min-snr", "v", "velocity", "likelihood", "elbo", "truncated-snr"):
        loss = finite_network.denoising_loss(weighting, times=Steps(d.grid, last))(torch.randn(8, 2))
        assert loss.isfinite(), weighting
        loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


class NoSnr(torch.nn.Module):
    """Shows the network a finite log-SNR."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x, log_snr, context=None):
        return self.network(x, log_snr.clamp(-20, 20))


def conditional():
    network = pg.nn.DenoisingMLP(2, hidden=(8,), conditioning=pg.nn.VectorConditioning(3))
    return pg.diffusion.Diffusion(network, pg.diffusion.cosine_schedule(), (2,), 10)


def test_batches_are_positional_or_named():
    d = conditional()
    loss, x, context = d.denoising_loss("v"), torch.randn(6, 2), torch.randn(6, 3)
    torch.manual_seed(0)
    first = loss(x, context)
    torch.manual_seed(0)
    assert torch.equal(first, loss(context=context, x=x))
    with pytest.raises(ValueError, match="context"):
        loss(x)


def test_context_dropout():
    d = conditional()
    context = torch.randn(2000, 3)
    dropped = drop_context(d, context, 0.25)
    gone = dropped.isnan().all(-1)  # a vector's null context is NaN
    assert d.denoiser.null_context.isnan().all()
    assert 400 < gone.sum() < 600
    assert torch.equal(dropped[~gone], context[~gone])
    loss = d.denoising_loss("v", context_dropout=0.5)
    seen = []
    d.denoiser.network.register_forward_pre_hook(lambda module, args: seen.append(args[2].isnan().any()))
    loss(torch.zeros(50, 2), context[:50])
    loss.eval()(torch.zeros(50, 2), context[:50])
    assert [bool(any_dropped) for any_dropped in seen] == [True, False]  # only while training


def test_importance_sampling_learns_only_while_training():
    d, _ = bed(grid=5)
    loss = d.denoising_loss("elbo", times="importance")
    x = torch.randn(100, 1).double()
    loss.eval()(x)
    assert loss.times.seen.sum() == 0
    loss.train()(x)
    assert loss.times.seen.sum() == 100
    with torch.no_grad():
        loss(x)
    assert loss.times.seen.sum() == 100


def test_names_of_times():
    d, _ = bed(grid=5)
    assert isinstance(resolve_times("importance", d, "steps"), LossAwareSteps)
    assert isinstance(d.denoising_loss("likelihood").times, ContinuousTimes)
    assert resolve_times("logit-normal", d, "steps").given is not None
    assert (d.denoising_loss("likelihood").times.low, d.denoising_loss("likelihood").times.high) == (0.2, 1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: d.denoising_loss("beauty"), "`weighting`"),
        (lambda d: d.denoising_loss(times="later"), "`times`"),
        (lambda d: d.denoising_loss("elbo", times="continuous"), "`times` must be a sampler of the steps"),
        (lambda d: d.denoising_loss("elbo", times=Steps(TimeGrid(6))), "`times` must be a sampler of the steps"),
        (lambda d: d.denoising_loss(context_dropout=0.1), "null_context"),
        (lambda d: d.denoising_loss(context_dropout=1.0), r"\[0, 1\)"),
        (lambda d: d.denoising_loss()(torch.zeros(0, 1)), "at least one datum"),
        (lambda d: d.denoising_loss()(torch.zeros(3, 2)), "event shape"),
    ],
)
def test_errors(make, message):
    d, _ = bed(grid=5)
    with pytest.raises(ValueError, match=message):
        make(d)


def test_fit_brings_the_bound_near_the_entropy():
    # two separated blobs: entropy log 2 + 2-D Gaussian; 400 steps of a tiny network close most of the gap
    torch.manual_seed(0)
    data = torch.cat([torch.randn(2000, 2) * 0.3 + 1, torch.randn(2000, 2) * 0.3 - 1])[torch.randperm(4000)]
    entropy = math.log(2) + math.log(2 * math.pi * math.e * 0.09)
    schedule = pg.diffusion.linear_schedule(20, 0.01, 0.5)
    d = pg.diffusion.Diffusion(
        pg.nn.DenoisingMLP(2, hidden=(64,), out_features=4, embedding_features=32), schedule, (2,), 20, spread=LearnedVariance()
    )
    before = pg.diffusion.bound_terms(d, data[:500]).total.mean()
    loss = DenoisingLoss(d, "elbo")
    pg.infer.fit(loss, list(data.split(250)) * 25, lambda parameters: torch.optim.Adam(parameters, lr=3e-3), progress=False)
    after = pg.diffusion.bound_terms(d, data[:1000]).total.mean()
    assert after < before - 0.4
    assert entropy - 0.15 < after < entropy + 0.35


@pytest.mark.parametrize("weighting", ["simple", "elbo", "likelihood", min_snr(3.0)])
def test_copies_pickles_and_states(weighting):
    d = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(2, hidden=(8,)), pg.diffusion.linear_schedule(), (2,), 10)
    loss = d.denoising_loss(weighting, times="importance" if weighting == "elbo" else None)
    x = torch.randn(8, 2)
    loss(x).backward()
    again = pickle.loads(pickle.dumps(copy.deepcopy(loss)))
    again.load_state_dict(loss.state_dict())
    values = []
    for one in (loss, again):
        torch.manual_seed(0)
        values.append(one(x))
    assert torch.equal(*values)
    assert again.double()(x.double()).dtype == torch.float64
