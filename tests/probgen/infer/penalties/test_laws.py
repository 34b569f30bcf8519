"""What every penalty must obey, over all of them: one row of CASES for each public class."""

import copy
import inspect
import pickle

import pytest
import torch
from torch import nn

import probgen as pg
from probgen.infer import Penalty
from tests.probgen.infer.penalties.cases import CASES

every = pytest.mark.parametrize("name", CASES)


def critic_of(*event, outputs=1, dtype=torch.float64):
    """A smooth critic without batch normalization."""
    size = torch.Size(event).numel()
    return nn.Sequential(nn.Flatten(), nn.Linear(size, 8), nn.Tanh(), nn.Linear(8, outputs)).to(dtype)


def seeded(penalty, critic, real, fake):
    """The terms with the same noise for the same examples."""
    torch.manual_seed(3)
    return penalty.eval().terms(critic, real, fake)


def test_every_public_penalty_has_a_case():
    public = [getattr(pg.infer, name) for name in pg.infer.__all__]
    classes = {thing for thing in public if inspect.isclass(thing) and issubclass(thing, Penalty)}
    concrete = {cls for cls in classes if "(abstract)" not in cls.__doc__.split("\n\n")[0]}
    assert concrete == {type(make()) for make in CASES.values()}


@every
def test_loss_is_the_weighted_mean_of_the_terms(name):
    penalty, critic = CASES[name]().eval(), critic_of(3)
    real, fake = torch.randn(2, 5, 3, dtype=torch.float64)
    terms = seeded(penalty, critic, real, fake)
    assert terms.shape == (5,)
    assert (terms >= 0).all()
    torch.manual_seed(3)
    torch.testing.assert_close(penalty(critic, real, fake), 2 * terms.mean())


@every
def test_an_example_more_leaves_the_terms_of_the_others(name):
    # Fewer than 16 normal numbers are drawn one after the other: four examples get the same noise with and without a fifth.
    penalty, critic = CASES[name](), critic_of(3)
    real, fake = torch.randn(2, 5, 3, dtype=torch.float64)
    fake[4], real[4] = 50.0, -50.0
    with_it, without = seeded(penalty, critic, real, fake), seeded(penalty, critic, real[:4], fake[:4])
    torch.testing.assert_close(with_it[:4], without, rtol=1e-12, atol=1e-12)


@every
def test_parameters_get_true_gradients(name):
    penalty, critic = CASES[name]().eval(), critic_of(2)
    real, fake = torch.randn(2, 3, 2, dtype=torch.float64)
    names = [each for each, _ in critic.named_parameters()]

    def loss(*parameters):
        torch.manual_seed(3)
        with_them = dict(zip(names, parameters, strict=True))
        return penalty(lambda x: torch.func.functional_call(critic, with_them, (x,)), real, fake)

    parameters = tuple(parameter.detach().clone().requires_grad_() for parameter in critic.parameters())
    assert torch.autograd.gradcheck(loss, parameters)


@every
def test_draws_and_data_get_no_gradient(name):
    real, fake = (torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    CASES[name]()(critic_of(3), real, fake).backward()
    assert real.grad is None
    assert fake.grad is None


@every
@pytest.mark.parametrize("event", [(), (3,), (2, 4, 4)], ids=str)
def test_events_of_any_shape_and_patches(name, event):
    size = torch.Size(event).numel()
    critic = nn.Sequential(nn.Unflatten(0, (-1, 1)) if not event else nn.Identity(), critic_of(*(event or (1,)), outputs=6))
    patches = nn.Sequential(critic, nn.Unflatten(1, (1, 2, 3))).double()
    real, fake = torch.randn(2, 5, *event, dtype=torch.float64)
    assert size > 0
    for each in (critic, patches):
        assert CASES[name]().terms(each, real, fake).shape == (5,)
    torch.testing.assert_close(seeded(CASES[name](), critic, real, fake), seeded(CASES[name](), patches, real, fake))


@every
def test_empty_batches_cost_nothing(name):
    critic, nothing = critic_of(3), torch.zeros(0, 3, dtype=torch.float64)
    loss = CASES[name]()(critic, nothing, nothing)
    assert loss == 0
    loss.backward()
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in critic.parameters())


@every
def test_a_flat_critic_has_finite_gradients(name):
    critic = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))  # every unit is dead
    with torch.no_grad():
        critic[0].bias.fill_(-100.0)
    CASES[name]()(critic, *torch.randn(2, 5, 3)).backward()
    assert all(parameter.grad.isfinite().all() for parameter in critic.parameters() if parameter.grad is not None)


@every
def test_a_critic_that_ignores_the_events_is_penalized_as_flat(name):
    bias = torch.ones((), requires_grad=True)
    loss = CASES[name]()(lambda x: 0 * x[:, 0].detach() + bias, *torch.randn(2, 5, 3))
    assert loss.isfinite()


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_that_of_the_events(name, dtype):
    real, fake = torch.randn(2, 5, 3, dtype=dtype)
    assert CASES[name]()(critic_of(3, dtype=dtype), real, fake).dtype == dtype


@every
def test_works_without_gradients_around(name):
    with torch.no_grad():
        assert CASES[name]()(critic_of(3), *torch.randn(2, 5, 3, dtype=torch.float64)).isfinite()


@every
def test_copies_are_equal(name):
    penalty, critic = CASES[name](), critic_of(3)
    real, fake = torch.randn(2, 4, 3, dtype=torch.float64)
    penalty(critic, real, fake)
    fresh = CASES[name]()
    fresh.load_state_dict(penalty.state_dict())
    for other in (copy.deepcopy(penalty), pickle.loads(pickle.dumps(penalty)), fresh):
        torch.testing.assert_close(seeded(other, critic, real, fake), seeded(penalty, critic, real, fake))
        assert repr(other) == repr(penalty)
        assert "weight=2.0" in repr(penalty)


@every
def test_weight_must_be_positive(name):
    kind = type(CASES[name]())
    arguments = {"augmentation": abs} if name in ("consistency", "balanced") else {}
    with pytest.raises(ValueError, match="`weight` must be positive"):
        kind(weight=0.0, **arguments)
