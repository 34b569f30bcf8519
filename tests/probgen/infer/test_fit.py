"""The training loop: what it optimizes, what it reports, and that it continues exactly."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer.autoguide import AutoNormal
from torch import nn

from probgen.infer import ELBO, EMA, Annealed, Callback, EarlyStopping, UnsafeFileError, compile, fit, load_weights
from probgen.infer.checkpoint import read_checkpoint
from probgen.infer.storage import read_tree
from tests.probgen.infer.distributed import recorded_gradients
from tests.probgen.infer.programs import Decoder, Encoder, Game, Gaussian

ROOT = Path(__file__).resolve().parents[3]


class Batches:
    """Shuffled minibatches drawn from the global generator: resuming must find its place in the random stream."""

    def __init__(self, data, size):
        self.data, self.size = data, size

    def __len__(self):
        return len(self.data) // self.size

    def __iter__(self):
        order = torch.randperm(len(self.data))
        for k in range(len(self)):
            yield self.data[order[k * self.size : (k + 1) * self.size]]


class Stateful(Batches):
    """The same with a position of its own and a private generator."""

    def __init__(self, data, size):
        super().__init__(data, size)
        self.position, self.epoch = 0, 0

    def __iter__(self):
        order = torch.randperm(len(self.data), generator=torch.Generator().manual_seed(self.epoch))
        while self.position < len(self):
            k = self.position
            self.position += 1
            yield self.data[order[k * self.size : (k + 1) * self.size]]
        self.position, self.epoch = 0, self.epoch + 1

    def state_dict(self):
        return {"position": self.position, "epoch": self.epoch}

    def load_state_dict(self, state):
        self.position, self.epoch = state["position"], state["epoch"]


class StopAt(Callback):
    def __init__(self, step, signal_number=None):
        self.step, self.signal_number = step, signal_number

    def on_step_end(self, training):
        if training.step == self.step:
            if self.signal_number is None:
                training.stop()
            else:
                os.kill(os.getpid(), self.signal_number)


class Noisy(nn.Module):
    """A loss with dropout, a schedule, batch norm and torch noise: everything that a resumed run must find again."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.Linear(6, 5))
        self.beta = Annealed(0.1, 1.0, steps=10, shape="cosine")

    def forward(self, x):
        return (self.net(x + 0.1 * torch.randn_like(x)) - x).square().mean() * self.beta()


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.01)


def decay(optimizer):
    return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)


def run(folder, *, steps=17, data=None, callbacks=(), resume=False):
    """One run of a fixed experiment; returns the weights (raw and averaged) and the losses."""
    torch.manual_seed(1)
    loss, ema = Noisy(), None
    ema = EMA(loss, 0.9)
    data = Batches(torch.randn(20, 5), 4) if data is None else data(torch.randn(20, 5), 4)
    history = fit(
        loss, data, adam, steps=steps, schedule=decay, clip_norm=1.0, ema=ema,
        validation=[torch.ones(2, 5)], validate_every=4, callbacks=[*callbacks, EarlyStopping(100)], checkpoint=folder,
        checkpoint_every=3, resume=resume, progress=False, accelerator="cpu",
    )  # fmt: skip
    return [v.clone() for v in loss.state_dict().values()], ema.average, history


def test_averaged_weights_can_be_kept():
    net = torch.nn.Linear(2, 1)
    average = EMA(net, 0.5, warmup=False)
    start = net.weight.detach().clone()
    with torch.no_grad():
        net.weight.add_(1.0)
    average.update()
    with average.applied():
        inside = net.weight.detach().clone()
    torch.testing.assert_close(net.weight.detach(), start + 1.0)
    average.copy_to_module()
    torch.testing.assert_close(net.weight.detach(), inside)
    torch.testing.assert_close(inside, start + 0.5)


def assert_identical(a, b):
    for left, right in zip([*a[0], *a[1]], [*b[0], *b[1]], strict=True):
        assert torch.equal(left, right)
    assert a[2].losses == b[2].losses
    assert a[2].validation == b[2].validation


def test_reaches_the_maximum_likelihood_estimate():
    x = torch.randn(200, 3) * 2 + 1
    model = Gaussian()
    history = fit(ELBO()(model), [x], lambda p: torch.optim.Adam(p, 0.1), steps=200, progress=False, accelerator="cpu")
    torch.testing.assert_close(model.loc, x.mean(0), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(model.log_scale.exp(), x.std(0, correction=0), rtol=1e-3, atol=1e-3)
    assert history.steps == 200
    assert history.losses[-1] < history.losses[0]
    assert list(pyro.get_param_store().keys()) == []


def test_batches_become_arguments():
    seen = []

    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.zeros(()))

        def forward(self, x, y=None):
            seen.append((float(x), None if y is None else float(y)))
            return self.a * x

    one, two = torch.ones(()), 2 * torch.ones(())
    history = fit(Loss(), [one, (one, two), {"y": one, "x": two}], progress=False, accelerator="cpu")
    assert seen == [(1.0, None), (1.0, 2.0), (2.0, 1.0)]
    assert (history.steps, history.epochs) == (3, 1)


def test_compiled_steps_follow_the_same_trajectory(tmp_path):
    def trained(wrap):
        torch.manual_seed(2)
        model, guide = Decoder(40), Encoder(40)
        loss = wrap(ELBO()(model, guide))
        fit(loss, Batches(torch.randn(40, 5), 8), adam, epochs=2, progress=False, accelerator="cpu", checkpoint=tmp_path)
        return [p.detach() for p in (*model.parameters(), *guide.parameters())], loss

    expected, plain = trained(lambda loss: loss)
    got, _ = trained(lambda loss: compile(loss, backend="eager"))
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b)
    load_weights(plain, tmp_path / "last.safetensors")  # a compiled run's checkpoint fits the plain objective


@pytest.mark.parametrize("data", [Batches, Stateful])
@pytest.mark.parametrize("at", [6, 8])
def test_resume_continues_bit_for_bit(tmp_path, data, at):
    whole = run(tmp_path / "a", data=data)
    run(tmp_path / "b", data=data, callbacks=[StopAt(at)])
    assert_identical(run(tmp_path / "b", data=data, resume=True), whole)


def test_a_killed_run_resumes_bit_for_bit(tmp_path):
    script = (
        "import signal, sys, torch; torch.set_num_threads(1); from pathlib import Path\n"
        "from tests.probgen.infer.test_fit import run, StopAt\n"
        "run(Path(sys.argv[1]), callbacks=[StopAt(11, signal.SIGKILL)])"
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        process = subprocess.run([sys.executable, "-c", script, str(tmp_path / "b")], cwd=ROOT, check=False, timeout=120)
        assert process.returncode == -signal.SIGKILL
        assert read_checkpoint(tmp_path / "b" / "last.safetensors")[1]["step"] == 9
        assert_identical(run(tmp_path / "b", resume=True), run(tmp_path / "a"))
    finally:
        torch.set_num_threads(threads)


def test_ctrl_c_saves_and_returns(tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    stopped = run(tmp_path / "b", callbacks=[StopAt(7, signal.SIGINT)])
    assert stopped[2].interrupted
    assert stopped[2].steps == 7
    assert signal.getsignal(signal.SIGINT) is handler
    assert_identical(run(tmp_path / "b", resume=True), run(tmp_path / "a"))


def test_a_pickled_checkpoint_is_refused(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    torch.save({"weights": Bomb()}, tmp_path / "last.safetensors")
    with pytest.raises(UnsafeFileError, match="is a pickle"):
        run(tmp_path, resume=True)
    assert not (tmp_path / "exploded").exists()


def test_best_weights_and_early_stopping(tmp_path):
    target = lambda objective: abs(objective.model.loc[0].item() - 0.35)  # noqa: E731  # passed on the way from 0.3 to 3
    history = fit(
        ELBO()(Gaussian()), [torch.full((4, 3), 3.0)], adam, steps=50, validation=target, validate_every=1,
        callbacks=[EarlyStopping(patience=4)], checkpoint=tmp_path, progress=False, accelerator="cpu",
    )  # fmt: skip
    assert history.stopped
    assert history.best == history.validation[history.best[0] - 1]
    assert history.steps == history.best[0] + 4
    twin = ELBO()(Gaussian())
    load_weights(twin, tmp_path / "best.safetensors")
    assert target(twin) == history.best[1] < 0.02


def test_validation_changes_nothing():
    def weights(**options):
        torch.manual_seed(1)
        loss = Noisy()
        fit(loss, Batches(torch.randn(20, 5), 4), adam, epochs=2, progress=False, accelerator="cpu", **options)
        return list(loss.state_dict().values())

    noisy_validation = lambda objective: float(objective(torch.randn(3, 5)))  # noqa: E731
    for a, b in zip(weights(), weights(validation=noisy_validation, validate_every=1), strict=True):
        assert torch.equal(a, b)


def test_players_take_turns_and_leave_no_gradient_behind():
    game, reference = Game(critic_steps=2), Game(critic_steps=2)
    reference.load_state_dict(game.state_dict())
    data = [torch.randn(4, 2) for _ in range(6)]
    clean = []

    class Check(Callback):
        def on_gradient(self, training):
            name = training.turns[training.step % 3].name
            own = game.players[name].parameters
            clean.append(all((p.grad is not None) == any(p is q for q in own) for p in game.parameters()))

    sgd = lambda rate: lambda p: torch.optim.SGD(p, rate)  # noqa: E731
    history = fit(game, data, {"critic": sgd(0.1), "model": sgd(0.2)}, callbacks=[Check()], progress=False, accelerator="cpu")
    assert clean == [True] * 6
    assert history.players == ["critic", "critic", "model"] * 2
    assert history.of("model") == history.losses[2::3]
    for k, x in enumerate(data):
        name = ("critic", "critic", "model")[k % 3]
        parameters = reference.players[name].parameters
        gradients = torch.autograd.grad(reference(x, player=name), parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.data -= (0.1 if name == "critic" else 0.2) * gradient
    for a, b in zip(game.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(a, b)
        assert a.requires_grad


def test_autoguide_parameters_are_found_before_the_optimizer_is_made():
    def model(x):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    guide = AutoNormal(model)
    x = torch.full((3,), 4.0)
    fit(ELBO()(model, guide), iter([x] * 300), lambda p: torch.optim.Adam(p, 0.05), progress=False, accelerator="cpu")
    assert abs(guide.median()["z"] - 3.0) < 0.2  # the posterior is N(12/4, 1/4)


def test_losses_and_metrics_are_logged_and_the_bar_is_shown(tmp_path, capsys):
    from lightning_fabric.loggers import CSVLogger

    fit(
        ELBO()(Gaussian()), [torch.zeros(2, 3)], epochs=4, validation=[torch.zeros(2, 3)], log_every=2, accelerator="cpu",
        loggers=[CSVLogger(tmp_path, name="run", flush_logs_every_n_steps=1)],
    )  # fmt: skip
    header = next(tmp_path.rglob("metrics.csv")).read_text().splitlines()[0]
    assert {"loss", "validation"} <= set(header.split(","))
    assert "validation=" in capsys.readouterr().err


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_reported(value, tmp_path):
    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.zeros(()))

        def forward(self, x):
            return self.a * 0.0 + x

    data = [torch.tensor(v) for v in (1.0, 1.0, value, 1.0)]
    with pytest.raises(FloatingPointError, match=f"player 'model' is {value} at step 2"):
        fit(Loss(), data, checkpoint=tmp_path, progress=False, accelerator="cpu")
    assert not (tmp_path / "last.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resume": True}, "need a folder"),
        ({"data": []}, "yielded no batch"),
        ({"validation": []}, "`validation` yielded no batch"),
        ({"optimizer": {"critic": adam}}, "no entry for the player 'model'"),
        ({"epochs": -1}, "`epochs` must be at least 0; got -1"),
        ({"log_every": 0}, "`log_every` must be at least 1; got 0"),
        ({"validate_every": 0}, "`validate_every` must be at least 1; got 0"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        fit(ELBO()(Gaussian()), **{"data": [torch.zeros(2, 3)], "progress": False, "accelerator": "cpu", **options})


def test_bf16_autocast_trains():
    loss = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0), _Mean())
    history = fit(loss, [torch.ones(2, 3)] * 3, precision="bf16-mixed", progress=False, accelerator="cpu")
    assert history.losses[-1] < history.losses[0]
    assert loss[0].weight.dtype == torch.float32


class _Mean(nn.Module):
    def forward(self, x):
        return x.float().mean()


def test_two_processes_give_the_gradient_of_the_full_batch(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone"]
    command += ["-m", "tests.probgen.infer.distributed", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120, capture_output=True)
    whole = recorded_gradients()
    assert whole.keys() == {"one", "two", "adversarial"}
    for name, steps in whole.items():
        for rank in (0, 1):
            for step, part in zip(steps, read_tree(tmp_path / f"{rank}.safetensors")[name], strict=True):
                for gradient, expected in zip(part, step, strict=True):
                    assert (gradient is None) == (expected is None)
                    if gradient is not None:
                        torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-6)


class Root(nn.Module):
    """Its loss is finite at 0, its gradient is not."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return (self.weight * x).square().sum().sqrt()


def test_a_checkpoint_never_holds_nan_weights(tmp_path):
    loss = Root()
    with pytest.raises(FloatingPointError, match=r"\['weight'\] are NaN after step 1"):
        fit(loss, [torch.ones(2), torch.zeros(2)], checkpoint=tmp_path, checkpoint_every=1, progress=False, accelerator="cpu")
    assert read_checkpoint(tmp_path / "last.safetensors")[0]["weight"].isfinite()


def test_an_automatic_guide_without_data_is_reported():
    def model(x):
        pyro.sample("z", dist.Normal(0.0, 1.0))

    with pytest.raises(ValueError, match="`data` yielded no batch"):
        fit(ELBO()(model, AutoNormal(model)), [], progress=False, accelerator="cpu")


def test_resuming_with_another_kind_of_optimizer_is_an_error(tmp_path):
    options = {"checkpoint": tmp_path, "progress": False, "accelerator": "cpu"}
    fit(ELBO()(Gaussian()), [torch.zeros(2, 3)], **options)
    with pytest.raises(ValueError, match="optimizer of player 'model' is Adam; got SGD"):
        fit(ELBO()(Gaussian()), [torch.zeros(2, 3)], lambda p: torch.optim.SGD(p, 0.1), epochs=2, resume=True, **options)
