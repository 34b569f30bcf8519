"""Ready-made callbacks, on a stand-in for a run."""

from types import SimpleNamespace

import pytest
import torch

from probgen.infer import Callback, EarlyStopping, History, ProgressBar, fit


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
