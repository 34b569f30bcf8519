"""The model as a whole: what it refuses, what it is saved as, what can be recorded of it."""

import copy
import pickle

import pytest
import torch
from pyro.infer import Trace_ELBO

import probgen as pg
from probgen.distributions import Quantization, standard_normal
from probgen.distributions.chains import (
    DiscretizedDecoder,
    FittedVariance,
    LearnedSchedule,
    LearnedVariance,
    NormalDecoder,
    PointMass,
    TimeGrid,
    TweedieCovariance,
    UnitPrior,
)
from probgen.infer import compile as compile_objective

LEVELS = Quantization(16, -2.0, 2.0)
SCHEDULES = {
    "chain": lambda: pg.diffusion.linear_schedule(50, 0.001, 0.2),
    "no signal": lambda: pg.diffusion.cosine_schedule(terminal_log_snr=None),
    "exploding": pg.diffusion.variance_exploding_schedule,
    "straight": pg.diffusion.flow_matching_schedule,
    "learned": LearnedSchedule,
}
SPREADS = {
    "point": PointMass,
    "unit": lambda: UnitPrior(0.5),
    "learned": LearnedVariance,
    "fitted": lambda: FittedVariance(torch.tensor([-5.0, 5.0]), torch.tensor([-1.0, -0.5])),
    "Tweedie": TweedieCovariance,
}
DECODERS = {"none": None, "levels": DiscretizedDecoder(LEVELS), "normal": NormalDecoder(0.3)}


def model(schedule=None, grid=5, spread=None, conditioning=None, event_shape=(2,), **options):
    """A model with random weights."""
    out = 2 * event_shape[0] if spread is not None and spread.learned else None
    network = pg.nn.DenoisingMLP(event_shape, hidden=(8,), conditioning=conditioning, out_features=out)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    schedule = pg.diffusion.cosine_schedule() if schedule is None else schedule
    return pg.diffusion.Diffusion(network, schedule, event_shape, grid, spread=spread, **options)


def behavior(diffusion):
    """Samples and a bound, with one seed."""
    torch.manual_seed(7)
    samples = diffusion.ancestral(last="sample")(diffusion.prior.sample((4,)))
    with torch.no_grad():
        bound = diffusion.denoising_loss("elbo").per_datum(LEVELS.decode(torch.arange(8).reshape(4, 2)))
    return torch.cat([samples.flatten(), bound, diffusion.distribution().sample((3,)).flatten()])


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("spread", SPREADS)
def test_a_model_survives_every_way_of_keeping_it(spread, decoder, tmp_path):
    grid = TimeGrid([0.0, 0.1, 0.5, 0.9])
    made = model(grid=grid, spread=SPREADS[spread](), decoder=DECODERS[decoder], prior=standard_normal(2))
    pg.save(made, tmp_path / "model.safetensors")
    for kept in (pg.load(tmp_path / "model.safetensors"), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert torch.equal(behavior(kept), behavior(made))
        assert kept.grid == grid


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_schedule_is_saved_with_the_model(name, tmp_path):
    made = model(SCHEDULES[name]())
    pg.save(made, tmp_path / "model.safetensors")
    assert torch.equal(behavior(pg.load(tmp_path / "model.safetensors")), behavior(made))


@pytest.mark.parametrize("shape", [(2,), (3,), (5, 3), (3, 3, 2), (0, 2)])
def test_the_programs_refuse_data_of_another_shape(shape):
    d, x = model(), torch.zeros(shape)
    message = "must not be empty" if shape == (0, 2) else r"must have shape \[size, \*\(2,\)\]"
    for program in (d.model, d.guide, d.single_site_model, d.chain().forward_guide):
        with pytest.raises(ValueError, match=message):
            program(x)


def test_the_plate_of_generated_data_is_that_of_the_context():
    d, label = model(conditioning=pg.nn.ClassConditioning(4)), torch.arange(4)
    assert d.model(None, label).shape == d.single_site_model(None, label).shape == (4, 2)
    assert model().model().shape == (1, 2)
    with pytest.raises(ValueError, match="must not be empty; got size 0"):
        d.model(None, label, size=0)


def test_integers_are_not_data():
    d, x = model(), torch.ones(3, 2, dtype=torch.long)
    for use in (d.denoising_loss(), d.ddim(5), d.bits_report, lambda x: d(x, 0.5)):
        with pytest.raises(TypeError, match=r"must be of floating point; got torch\.int64"):
            use(x)


@pytest.mark.parametrize("parameterization", ["eps", "score"])
def test_a_model_that_cannot_begin_is_not_built(parameterization):
    schedule = pg.diffusion.flow_matching_schedule()
    with pytest.raises(ValueError, match="where no signal is left"):
        model(schedule, parameterization=parameterization)
    model(schedule, TimeGrid([0.0, 0.5, 0.99]), parameterization=parameterization)


def test_the_grid_of_a_model_ends_at_the_data():
    with pytest.raises(ValueError, match=r"must end at the data, t = 0; it ends at t = 0\.1"):
        model(grid=TimeGrid([0.1, 1.0]))
    assert model(grid=[0.0, 0.5, 1.0]).grid == TimeGrid(2)


def test_samplers_of_a_learned_schedule():
    d, x = model(LearnedSchedule(), grid=20), torch.randn(3, 2)
    for sampler in (d.heun(5), d.euler(5), d.dpm_solver(5), d.uni_pc(5), d.probability_flow(solver="rk4", steps=5)):
        assert sampler(x).isfinite().all()


@pytest.mark.parametrize("whole", [True, False])
def test_the_programs_can_be_recorded(whole):
    d, x = model(SCHEDULES["exploding"](), grid=2), torch.randn(6, 2)
    objective = pg.infer.ELBO()(d.model, d.guide) if whole else pg.infer.ELBO()(d.single_site_model)
    recorded, values = compile_objective(objective, backend="aot_eager"), []
    for loss in (objective, recorded):
        torch.manual_seed(0)
        values.append(loss(x))
    torch.testing.assert_close(values[1], values[0])
    assert all(type(parameter) is torch.nn.Parameter for parameter in d.parameters())


def test_no_data_have_bounds_but_no_loss():
    for spread in (PointMass(), LearnedVariance(), TweedieCovariance()):
        d = model(spread=spread)
        for x in (torch.zeros(0, 2), torch.zeros(3, 0, 2)):
            assert d.distribution(allow_estimate=True).log_prob(x).shape == x.shape[:-1]
            with pytest.raises(ValueError, match="must hold at least one datum"):
                d.denoising_loss("elbo")(x)


def test_one_datum_is_not_many():
    d = model()
    with pytest.raises(ValueError, match=r"must have shape \[size"):
        Trace_ELBO().loss(d.model, d.guide, torch.randn(2))
