r"""Laws of a distribution object: shapes, seeds, gradients, copies, errors; and of its place in a Pyro program."""

from __future__ import annotations

import copy
import pickle
import warnings

import torch
from torch import Tensor, nn

from probgen.distributions._parts import parts_of
from probgen.distributions.testing.distribution_subject import DistributionSubject, default_dtype
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law, require_equal
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.regimes import REGIMES
from probgen.distributions.testing.validation import validation

__all__ = [
    "LAWS",
    "different_seeds_differ",
    "distribution_deepcopies_and_pickles",
    "distribution_dtype_is_kept",
    "distribution_parameters_get_gradients",
    "distribution_shapes_are_declared",
    "distribution_vmap_equals_batch",
    "draw_and_score_agree",
    "expand_keeps_the_law",
    "log_prob_compiles_whole",
    "log_prob_has_finite_gradients",
    "memo_is_never_stale",
    "nan_is_not_scored",
    "same_seed_same_sample",
    "sample_is_detached",
    "samples_lie_in_the_support",
    "wrong_value_shapes_raise",
]


def _exact(subject: DistributionSubject) -> bool:
    return subject.is_exact


def _learnable(subject: DistributionSubject) -> bool:
    return bool(subject.parameters)


def _exact_learnable(subject: DistributionSubject) -> bool:
    return subject.is_exact and bool(subject.parameters)


def _exact_continuous(subject: DistributionSubject) -> bool:
    return subject.is_exact and not subject.is_discrete


def _exact_events(subject: DistributionSubject) -> bool:
    return subject.is_exact and bool(subject.distribution.event_shape)


def _static(subject: DistributionSubject) -> bool:
    parts = [part for module in subject.modules for part in module.modules()]
    return subject.is_exact and all(getattr(part, "static_graph", True) for part in parts)


def _drawn_by_call(subject: DistributionSubject) -> bool:
    return _exact_learnable(subject) and callable(subject.distribution)


def _has_fused(subject: DistributionSubject) -> bool:
    return subject.is_exact and subject.distribution.has_rsample and hasattr(subject.distribution, "rsample_and_log_prob")


@define_law(
    "D4",
    "Draws have shape sample + batch + event, log-densities sample + batch, and the support the rank of the event.",
    kind="distribution",
    scales=(),
)
def distribution_shapes_are_declared(subject: DistributionSubject, draw: Draw) -> Tally:
    """Sample shapes of rank zero to two, one of them empty."""
    law, distribution, tally = "distribution_shapes_are_declared", subject.distribution, Tally(0)
    batch, event = tuple(distribution.batch_shape), tuple(distribution.event_shape)
    if distribution.support.event_dim != len(event):
        raise LawViolation(law, "support.event_dim", len(event), distribution.support.event_dim)
    for shape in ((), (1,), (3,), (2, 3), (0,)):
        value = subject.sample(draw, shape)
        wanted, found = (shape + batch + event, shape + batch), (tuple(value.shape), shape + batch)
        if subject.is_exact:
            with validation(enabled=False), torch.no_grad():
                found = (tuple(value.shape), tuple(distribution.log_prob(value).shape))
        if found != wanted:
            raise LawViolation(law, f"sample shape {shape}", wanted, found)
        tally += Tally(2)
    return tally


@define_law(
    "D4",
    "sample() has no gradient; rsample() has one if the distribution has parameters.",
    kind="distribution",
    applies=_learnable,
    scales=(),
    once=True,
)
def sample_is_detached(subject: DistributionSubject, draw: Draw) -> Tally:
    """With gradients enabled."""
    with validation(enabled=False), default_dtype(subject.dtype):
        plain = subject.distribution.sample(torch.Size((4,)))
        attached = subject.distribution.rsample(torch.Size((4,))) if subject.distribution.has_rsample else None
    if plain.requires_grad:
        raise LawViolation("sample_is_detached", "sample()", "a tensor without gradient", plain.requires_grad)
    if attached is not None and not attached.requires_grad:
        raise LawViolation("sample_is_detached", "rsample()", "a tensor with gradient", attached.requires_grad)
    return Tally(2)


@define_law("D4", "The same seed gives bitwise the same draws.", kind="distribution", scales=(), once=True)
def same_seed_same_sample(subject: DistributionSubject, draw: Draw) -> Tally:
    """Twice from the object."""
    first, second = subject.sample(draw), subject.sample(draw)
    return require_equal("same_seed_same_sample", second, first, draw)


@define_law("D4", "Different seeds, and different elements of one draw, differ.", kind="distribution", scales=(), once=True)
def different_seeds_differ(subject: DistributionSubject, draw: Draw) -> Tally:
    """Sixty-four draws each; a distribution on one point would have to be exempt."""
    first, second = subject.sample(Draw(seed=1), (64,)), subject.sample(Draw(seed=2), (64,))
    if torch.equal(first, second) or bool((first == first[:1]).all()):
        raise LawViolation("different_seeds_differ", "seeds 1 and 2", "different draws", first[:2])
    return Tally(2)


@define_law("C1", "Draws lie in the support and have a finite log-density, with validation on.", kind="distribution", scales=())
def samples_lie_in_the_support(subject: DistributionSubject, draw: Draw) -> Tally:
    """Five hundred draws."""
    law, value = "samples_lie_in_the_support", subject.sample(draw, (500,))
    valid = subject.distribution.support.check(value)
    if not bool(valid.all()):
        raise LawViolation(law, "draws", subject.distribution.support, value[tuple((~valid).nonzero()[0].tolist())])
    if not subject.is_exact:
        return Tally(valid.numel())
    with validation(enabled=True), torch.no_grad():
        log_prob = subject.distribution.log_prob(value)
    if not bool(log_prob.isfinite().all()):
        place = tuple((~log_prob.isfinite()).nonzero()[0].tolist())
        raise LawViolation(law, value[place], "a finite log_prob", log_prob[place])
    return Tally(2 * valid.numel())


@define_law(
    "D4", "expand gives the same law on another batch shape.", kind="distribution", applies=_exact, scales=(), once=True
)
def expand_keeps_the_law(subject: DistributionSubject, draw: Draw) -> Tally:
    """expand, to_event and mask."""
    law, distribution = "expand_keeps_the_law", subject.distribution
    batch = tuple(distribution.batch_shape)
    wide = distribution.expand(torch.Size((2, *batch)))
    if tuple(wide.batch_shape) != (2, *batch) or wide.event_shape != distribution.event_shape:
        raise LawViolation(law, f"expand((2, *{batch}))", (2, *batch), tuple(wide.batch_shape))
    value = subject.sample(draw, (3, 2))
    with validation(enabled=False), torch.no_grad(), default_dtype(subject.dtype):
        tally = require_equal(law, wide.log_prob(value), distribution.log_prob(value), value, tolerance=1e3 * subject.eps)
        drawn = wide.sample(torch.Size((3,)))
        if tuple(drawn.shape) != (3, 2, *batch, *distribution.event_shape):
            raise LawViolation(law, "sample of the expanded", (3, 2, *batch, *distribution.event_shape), tuple(drawn.shape))
        if hasattr(wide, "to_event"):
            total = wide.to_event(1 + len(batch)).log_prob(value)
            expected = distribution.log_prob(value).sum(tuple(range(1, 2 + len(batch))))
            tally += require_equal(law, total, expected, "to_event", tolerance=1e3 * subject.eps * (1 + expected.abs()))
        if hasattr(wide, "mask"):
            masked = wide.mask(torch.zeros((), dtype=torch.bool)).log_prob(value)
            tally += require_equal(law, masked, torch.zeros_like(masked), "mask(False)")
    return tally


@define_law("T1", "Draws and log-densities have the dtype of the parameters.", kind="distribution", scales=())
def distribution_dtype_is_kept(subject: DistributionSubject, draw: Draw) -> Tally:
    """Under the other default dtype, too."""
    law, value = "distribution_dtype_is_kept", subject.sample(draw)
    if value.is_floating_point() and value.dtype != subject.dtype:
        raise LawViolation(law, "sample()", subject.dtype, value.dtype)
    if not subject.is_exact:
        return Tally()
    with validation(enabled=False), torch.no_grad():
        log_prob = subject.distribution.log_prob(value)
    if value.is_floating_point() and log_prob.dtype != subject.dtype:
        raise LawViolation(law, "log_prob()", subject.dtype, log_prob.dtype)
    return Tally(2)


@define_law(
    "P1", "log_prob and rsample give every parameter a gradient.", kind="distribution", applies=_exact_learnable, scales=()
)
def distribution_parameters_get_gradients(subject: DistributionSubject, draw: Draw) -> Tally:
    """The sum of both objectives; a parameter that neither reaches is lost."""
    parameters, value = subject.parameters, subject.sample(draw, (64,))
    with validation(enabled=False), default_dtype(subject.dtype):
        loss = subject.distribution.log_prob(value).sum()
        if subject.distribution.has_rsample:
            loss = loss + subject.distribution.rsample(torch.Size((64,))).square().sum()
    if not loss.requires_grad:
        raise LawViolation("distribution_parameters_get_gradients", "log_prob", "a gradient", "none")
    grads = torch.autograd.grad(loss, parameters, allow_unused=True)
    missing = sum(grad is None for grad in grads)
    if missing:
        raise LawViolation("distribution_parameters_get_gradients", "parameters", "a gradient for each", f"none for {missing}")
    return Tally(len(grads))


@define_law(
    "N2",
    "The gradient of log_prob with respect to the value is finite at draws.",
    kind="distribution",
    applies=_exact_continuous,
    scales=(),
)
def log_prob_has_finite_gradients(subject: DistributionSubject, draw: Draw) -> Tally:
    """Sixty-four draws."""
    value = subject.sample(draw, (64,)).requires_grad_()
    with validation(enabled=False):
        total = subject.distribution.log_prob(value).sum()
    if not total.requires_grad:
        return Tally()
    grad: Tensor | None = torch.autograd.grad(total, value, allow_unused=True)[0]
    if grad is not None and not bool(grad.isfinite().all()):
        raise LawViolation("log_prob_has_finite_gradients", value[~grad.isfinite()][:1], "finite", grad[~grad.isfinite()][:1])
    return Tally(value.numel())


@define_law(
    "D2", "rsample_and_log_prob returns the log_prob of what it drew.", kind="distribution", applies=_has_fused, scales=()
)
def draw_and_score_agree(subject: DistributionSubject, draw: Draw) -> Tally:
    """The fused forward pass against the inverse pass of the same points."""
    with validation(enabled=False), torch.no_grad(), default_dtype(subject.dtype):
        value, fused = subject.distribution.rsample_and_log_prob(torch.Size((64,)))
        separate = subject.distribution.log_prob(value.clone())
    error = (fused - separate).abs() / (1 + separate.abs())
    unit = subject.tolerance * (1e-7 if subject.dtype == torch.float64 else 5e-2)
    if not float(error.median()) <= unit / 50 or not float(error.quantile(0.9)) <= unit:
        worst = int(error.reshape(-1).argmax())
        raise LawViolation("draw_and_score_agree", draw, separate.reshape(-1)[worst], fused.reshape(-1)[worst])
    return Tally(value.numel())


@define_law(
    "H1",
    "Scoring a draw after its parameters changed uses the new parameters.",
    kind="distribution",
    applies=_drawn_by_call,
    scales=(),
)
def memo_is_never_stale(subject: DistributionSubject, draw: Draw) -> Tally:
    """Draw as pyro.sample does, move the parameters in place, score the very same tensor."""
    law = "memo_is_never_stale"
    used, fresh = subject.build(seed=0), subject.build(seed=0)
    with validation(enabled=False), torch.no_grad(), default_dtype(subject.dtype):
        value = used()
        used.log_prob(value)
        value = used()
        for mine, others in zip(parts_of(used, nn.Module), parts_of(fresh, nn.Module), strict=True):
            target = REGIMES["moderate"].apply(mine, seed=17)
            for left, right, new in zip(mine.parameters(), others.parameters(), target.parameters(), strict=True):
                left.copy_(new)
                right.copy_(new)
        got, expected = used.log_prob(value), fresh.log_prob(value.clone())
    return require_equal(law, got, expected, value, tolerance=1e3 * subject.eps * (1 + expected.abs()))


@define_law(
    "K1", "Copies by deepcopy (after use) and pickle score the same, bitwise.", kind="distribution", scales=(), once=True
)
def distribution_deepcopies_and_pickles(subject: DistributionSubject, draw: Draw) -> Tally:
    """After a draw with gradients on."""
    law, value, tally = "distribution_deepcopies_and_pickles", subject.sample(draw), Tally()
    with validation(enabled=False), default_dtype(subject.dtype):
        subject.distribution() if callable(subject.distribution) else subject.distribution.sample()
        copies = (copy.deepcopy(subject.distribution), pickle.loads(pickle.dumps(subject.distribution)))
        with torch.no_grad():
            for twin in copies if subject.is_exact else ():
                tally += require_equal(law, twin.log_prob(value), subject.distribution.log_prob(value), value)
    return tally


@define_law("V1", "vmap of log_prob over draws equals the batched call.", kind="distribution", applies=_exact, scales=())
def distribution_vmap_equals_batch(subject: DistributionSubject, draw: Draw) -> Tally:
    """Over the leading axis."""
    value = subject.sample(draw, (5,))
    with validation(enabled=False), torch.no_grad():
        twin = subject.build(seed=0)
        twin._validate_args = False
        got, expected = torch.func.vmap(twin.log_prob)(value), twin.log_prob(value)
    return require_equal(
        "distribution_vmap_equals_batch", got, expected, value, tolerance=1e4 * subject.eps * (1 + expected.abs())
    )


@define_law(
    "V1",
    "torch.compile(fullgraph=True) of log_prob gives the eager result.",
    kind="distribution",
    applies=_static,
    scales=(),
    slow=True,
)
def log_prob_compiles_whole(subject: DistributionSubject, draw: Draw) -> Tally:
    """With the aot_eager backend, without validation."""
    import torch._dynamo

    value, law = subject.sample(draw), "log_prob_compiles_whole"
    with validation(enabled=False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin = subject.build(seed=0)
        torch._dynamo.reset()
        got = torch.compile(lambda v: twin.log_prob(v), fullgraph=True, backend="aot_eager", dynamic=False)(value.clone())
        torch._dynamo.reset()
        expected = twin.log_prob(value.clone())
    return require_equal(law, got, expected, value, tolerance=1e4 * subject.eps * (1 + expected.abs()))


@define_law("E1", "A value of another event shape raises.", kind="distribution", applies=_exact_events, scales=(), once=True)
def wrong_value_shapes_raise(subject: DistributionSubject, draw: Draw) -> Tally:
    """One coordinate too many."""
    value = subject.sample(draw, (3,))
    bigger = torch.cat([value, value[..., :1]], -1)
    try:
        with torch.no_grad():
            result = subject.distribution.log_prob(bigger)
    except (ValueError, RuntimeError):
        return Tally()
    raise LawViolation("wrong_value_shapes_raise", f"value of shape {tuple(bigger.shape)}", "ValueError", result)


@define_law(
    "N3",
    "A NaN is not scored: log_prob is NaN, minus infinity or an error.",
    kind="distribution",
    applies=_exact_continuous,
    scales=(),
    once=True,
)
def nan_is_not_scored(subject: DistributionSubject, draw: Draw) -> Tally:
    """One NaN in one coordinate, validation off and on."""
    law, value = "nan_is_not_scored", subject.sample(draw, (3,)).clone()
    value.reshape(-1)[0] = torch.nan
    for enabled in (False, True):
        try:
            with validation(enabled=enabled), torch.no_grad():
                log_prob = subject.build(seed=0).log_prob(value)
        except (ValueError, ArithmeticError):
            continue
        if bool(log_prob.reshape(-1)[0].isfinite()):
            raise LawViolation(law, "a NaN", "NaN or an error", log_prob.reshape(-1)[0])
    return Tally(2)


LAWS: tuple[Law, ...] = (
    distribution_shapes_are_declared,
    sample_is_detached,
    same_seed_same_sample,
    different_seeds_differ,
    samples_lie_in_the_support,
    expand_keeps_the_law,
    distribution_dtype_is_kept,
    distribution_parameters_get_gradients,
    log_prob_has_finite_gradients,
    draw_and_score_agree,
    memo_is_never_stale,
    distribution_deepcopies_and_pickles,
    distribution_vmap_equals_batch,
    log_prob_compiles_whole,
    wrong_value_shapes_raise,
    nan_is_not_scored,
)
