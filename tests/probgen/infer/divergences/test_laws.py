"""What every divergence must obey, over all of them: one row of CASES for each public class."""

import copy
import inspect
import pickle

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import probgen as pg
from probgen.infer import Divergence
from tests.probgen.infer.divergences.cases import BOUNDS, CASES, best_outputs, other_outputs
from tests.probgen.infer.divergences.line import expected_estimate

every = pytest.mark.parametrize("name", CASES)
bounds = pytest.mark.parametrize("name", BOUNDS)


def outputs(*shape, dtype=torch.float64, shift=0.0):
    """Outputs of a critic; never at a kink."""
    values = torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(len(shape) + int(10 * shift)))
    return (values + shift).requires_grad_()


def losses(divergence, real, fake):
    """The three numbers of a divergence."""
    return divergence.critic_loss(real, fake), divergence.generator_loss(fake, real), divergence.estimate(real, fake)


def test_every_public_divergence_has_a_case():
    public = [getattr(pg.infer, name) for name in pg.infer.__all__]
    classes = {thing for thing in public if inspect.isclass(thing) and issubclass(thing, Divergence)}
    concrete = {cls for cls in classes if "(abstract)" not in cls.__doc__.split("\n\n")[0]}
    assert concrete == {type(case.make()) for case in CASES.values()}


@bounds
def test_estimate_of_the_best_critic_is_the_closed_form(name):
    case = BOUNDS[name]
    assert expected_estimate(case.make(), best_outputs(case)) == pytest.approx(case.value, abs=6e-9)


@bounds
def test_any_other_critic_gives_a_lower_bound(name):
    case = BOUNDS[name]
    for other in other_outputs(case):
        assert expected_estimate(case.make(), other) < case.value - 1e-6


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"boundary_equilibrium"}))  # its estimate measures convergence
def test_equal_laws_have_no_divergence(name):
    divergence = CASES[name].make()
    try:
        v = divergence.best_output(torch.zeros(6, dtype=torch.float64))
    except NotImplementedError:
        v = torch.full((6,), 0.3, dtype=torch.float64)
    assert float(divergence.estimate(v, v)) == pytest.approx(0.0, abs=1e-12)


@every
def test_gradients_agree_with_finite_differences(name):
    divergence = CASES[name].make().double()
    real, fake = outputs(5), outputs(5, shift=0.7)
    if not divergence.needs_critic:
        real, fake = outputs(5, 2), outputs(5, 2, shift=0.7)
    assert torch.autograd.gradcheck(lambda *v: losses(divergence, *v), (real, fake))


@every
@pytest.mark.parametrize("size", [30.0, 1e4])
def test_everything_is_finite_at_large_outputs(name, size):
    divergence = CASES[name].make()
    real, fake = (torch.tensor([size, -size, 0.5], requires_grad=True) for _ in range(2))
    shown = losses(divergence, real, fake.flip(0))
    gradients = torch.autograd.grad(sum(shown), (real, fake), allow_unused=True)
    assert all(value.isfinite() for value in shown)
    assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


@every
def test_empty_batches_give_finite_numbers_without_gradients_of_their_own(name):
    divergence = CASES[name].make()
    real, fake = torch.zeros(0, 3, requires_grad=True), torch.zeros(0, 3, requires_grad=True)
    shown = losses(divergence, real, fake)
    assert all(value.shape == () and value.isfinite() for value in shown)
    sum(shown).backward()
    divergence.advance(real.detach(), fake.detach())


@every
def test_patches_count_as_outputs(name):
    divergence = CASES[name].make()
    real, fake = outputs(4, 1, 3, 2, dtype=torch.float32), outputs(4, 1, 3, 2, dtype=torch.float32, shift=0.5)
    shown = losses(divergence, real, fake)
    assert all(value.shape == () and value.isfinite() for value in shown)
    flat = (real.flatten(), fake.flatten()) if divergence.needs_critic else (real.flatten(1), fake.flatten(1))
    torch.testing.assert_close(shown, losses(divergence, *flat))


@every
def test_dtype_is_that_of_the_outputs(name):
    for divergence in (CASES[name].make(), CASES[name].make().double()):
        for dtype in (torch.float32, torch.float64):
            assert {value.dtype for value in losses(divergence, outputs(3, dtype=dtype), outputs(3, dtype=dtype))} == {dtype}


@every
def test_float32_agrees_with_float64(name):
    divergence = CASES[name].make()
    real, fake = outputs(6), outputs(6, shift=0.7)
    exact, rough = losses(divergence, real, fake), losses(divergence, real.float(), fake.float())
    torch.testing.assert_close([value.double() for value in rough], list(exact), rtol=2e-5, atol=2e-5)


@every
def test_vmap_is_a_loop(name):
    divergence = CASES[name].make().double()
    real, fake = outputs(3, 4).detach(), outputs(3, 4, shift=0.7).detach()
    mapped = torch.vmap(lambda a, b: torch.stack(losses(divergence, a, b)))(real, fake)
    looped = torch.stack([torch.stack(losses(divergence, a, b)) for a, b in zip(real, fake, strict=True)])
    torch.testing.assert_close(mapped, looped)


class NobodyReads(TorchDispatchMode):
    """Refuses what waits for a value: ``item``, ``bool``, shapes that depend on values."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if torch.Tag.data_dependent_output in func.tags or torch.Tag.dynamic_output_shape in func.tags:
            raise RuntimeError(f"{func} waits for the device")
        return func(*args, **kwargs or {})


@every
def test_nothing_reads_a_value_on_the_host(name):
    divergence, real, fake = CASES[name].make(), outputs(4), outputs(4, shift=0.7)
    with NobodyReads():
        sum(losses(divergence, real, fake)).backward()
        divergence.advance(real.detach(), fake.detach())


def test_reading_a_value_would_be_found():
    with NobodyReads(), pytest.raises(RuntimeError, match="waits for the device"):
        bool(torch.ones(()) > 0)


@every
def test_copies_give_the_same_losses(name):
    divergence = CASES[name].make().double()
    real, fake = outputs(4).abs(), outputs(4, shift=0.7).abs()
    divergence.advance(real.detach(), fake.detach())
    fresh = CASES[name].make().double()
    fresh.load_state_dict(divergence.state_dict())
    for other in (copy.deepcopy(divergence), pickle.loads(pickle.dumps(divergence)), fresh):
        assert losses(other, real, fake) == losses(divergence, real, fake)
        assert repr(other) == repr(divergence)


WITHOUT_RATIO = sorted(name for name in CASES if name.startswith(("hinge", "wasserstein", "rela", "boundary", "mmd", "energy")))


@pytest.mark.parametrize("name", sorted(CASES.keys() - WITHOUT_RATIO))
def test_log_ratio_inverts_the_best_output(name):
    divergence = CASES[name].make()
    log_ratio = torch.tensor([-25.0, -3.0, 0.0, 0.7, 6.0, 25.0], dtype=torch.float64)
    torch.testing.assert_close(divergence.log_ratio(divergence.best_output(log_ratio)), log_ratio, rtol=1e-4, atol=1e-6)
    assert divergence.best_output(torch.tensor([-1e4, 1e4])).isfinite().all()


@pytest.mark.parametrize("name", WITHOUT_RATIO)
def test_no_ratio_is_made_up(name):
    divergence = CASES[name].make()
    with pytest.raises(NotImplementedError, match=f"best critic of {type(divergence).__name__} does not determine the ratio"):
        divergence.log_ratio(torch.zeros(3))


@every
def test_generators_that_see_data_say_so(name):
    divergence = CASES[name].make()
    if divergence.generator_sees_data:
        with pytest.raises(ValueError, match="`real` must be"):
            divergence.generator_loss(torch.zeros(3))
    else:
        assert divergence.generator_loss(torch.ones(3)) == divergence.generator_loss(torch.ones(3), torch.zeros(5))
