"""Ready-made callbacks, on a stand-in for a run."""

import math
from types import SimpleNamespace

import pytest
import torch

from probgen.infer import Callback, EarlyStopping, History, ProgressBar, TimeBudget, fit


class Run(SimpleNamespace):
    stopped = False

    def stop(self):
        self.stopped = True


def test_early_stopping_counts_and_comes_back():
    run, stopping = Run(history=History()), EarlyStopping(patience=2, min_delta=0.1)
    for value, expected in ((1.0, False), (0.95, False), (0.8, False), (0.9, False)):
        run.history.validation.append((0, value))
        stopping.on_validation_end(run)
        assert run.stopped is expected
    twin = EarlyStopping(patience=2, min_delta=0.1)
    twin.load_state_dict(stopping.state_dict())
    twin.on_validation_end(run)
    assert run.stopped
    with pytest.raises(ValueError, match="`patience` must be at least 1; got 0"):
        EarlyStopping(patience=0)


def test_a_first_value_that_is_no_number_can_be_improved_on():
    run, stopping = Run(history=History()), EarlyStopping(patience=2)
    for value in (float("nan"), 1.0, 0.5, 0.25):
        run.history.validation.append((0, value))
        stopping.on_validation_end(run)
    assert (run.stopped, stopping.best) == (False, 0.25)


def test_only_rank_0_shows_a_bar(capsys):
    for rank_0 in (True, False):
        bar = ProgressBar()
        run = Run(fabric=SimpleNamespace(is_global_zero=rank_0), expected_steps=2, step=0, history=History(losses=[1.5]))
        for hook in ("on_fit_start", "on_step_end", "on_log", "on_fit_end"):
            getattr(bar, hook)(run)
        assert ("fit" in capsys.readouterr().err) is rank_0
    assert Callback().state_dict() == {}


def test_the_bar_knows_how_many_steps_there_will_be(capsys):
    loss = torch.nn.Linear(1, 1)
    objective = type("Mean", (torch.nn.Module,), {"forward": lambda self, x: self.layer(x).mean()})()
    objective.layer = loss
    fit(objective, [torch.ones(4, 1)] * 3, epochs=2)
    assert "6/6" in capsys.readouterr().err


class Clock:
    """A clock that goes as far at every reading as it is told."""

    def __init__(self, stride=1.0):
        self.now, self.stride = 100.0, stride

    def __call__(self):
        self.now += self.stride
        return self.now


class Square(torch.nn.Linear):
    def forward(self, x):
        return super().forward(x).square().mean()


def run_for(budget, rates=None, steps=100, **options):
    """A run of at most so many steps, one second each; the learning rate of every step."""

    class Rates(Callback):
        def on_gradient(self, training):
            rates.append(training.turns[0].optimizer.param_groups[0]["lr"])

    def sgd(parameters):
        return torch.optim.SGD(parameters, lr=1.0)

    rates = [] if rates is None else rates
    history = fit(
        Square(1, 1), [torch.zeros(1, 1)] * 3, sgd, steps=steps, schedule=budget.schedule, callbacks=[budget, Rates()],
        progress=False, accelerator="cpu", **options,
    )  # fmt: skip
    return history, rates


def test_a_budget_stops_in_time_and_the_rate_falls_to_its_end():
    budget = TimeBudget(8.0, warm_up=0.25, clock=Clock())
    history, rates = run_for(budget)
    assert (history.steps, history.stopped, budget.spent) == (8, True, 8.0)
    after = [0.5 + 0.5 * math.cos(math.pi * (k - 2) / 6) for k in range(2, 7)]
    # a rate is set at the end of a step, from the time when the one before ended: the first two know of no time yet
    torch.testing.assert_close(rates, [0.1, 0.1, 0.5, *after], rtol=0, atol=1e-12)


def test_without_warm_up_the_rate_is_a_cosine():
    _, rates = run_for(TimeBudget(4.0, clock=Clock()))
    torch.testing.assert_close(rates, [1.0, 1.0, 0.5 + 0.5 * math.sqrt(0.5), 0.5], rtol=0, atol=1e-12)


def test_time_between_two_runs_is_not_counted():
    clock = Clock()
    budget = TimeBudget(5.0, clock=clock)
    assert run_for(budget, steps=3)[0].steps == 3
    clock.now += 1000.0
    assert run_for(budget)[0].steps == 2
    history, rates = run_for(budget)
    assert (history.steps, history.stopped, rates) == (0, True, [])


def test_a_checkpoint_keeps_what_was_spent(tmp_path):
    run_for(TimeBudget(5.0, clock=Clock()), steps=3, checkpoint=tmp_path)
    budget = TimeBudget(5.0, clock=Clock())
    history, rates = run_for(budget, checkpoint=tmp_path, resume=True)
    assert (history.steps, len(rates), budget.spent) == (5, 2, 5.0)


def test_the_clock_of_the_first_process_is_everybodys():
    budget = TimeBudget(5.0, clock=Clock())
    run = Run(fabric=SimpleNamespace(world_size=2, broadcast=lambda value: value + 3.5))
    budget.on_fit_start(run)
    budget.on_step_end(run)
    assert budget.spent == 4.5
    assert not run.stopped
    budget.on_step_end(run)
    assert run.stopped


def test_processor_time_is_the_default_clock():
    budget = TimeBudget(1e-9)
    assert run_for(budget)[0].steps == 1
    assert budget.spent > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seconds": 0.0}, "`seconds` must be positive; got 0.0"),
        ({"seconds": math.nan}, "`seconds` must be positive; got nan"),
        ({"seconds": 1.0, "warm_up": 1.0}, r"`warm_up` must be in \[0, 1\); got 1.0"),
    ],
)
def test_a_budget_refuses(given, message):
    with pytest.raises(ValueError, match=message):
        TimeBudget(**given)
