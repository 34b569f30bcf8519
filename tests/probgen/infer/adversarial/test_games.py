"""Games in `fit`: averages, schedules, checkpoints, interruptions, precision, compiled steps and files."""

import copy
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import probgen as pg
from probgen.distributions import ImplicitLaw, standard_normal
from probgen.infer import (
    EMA,
    R1,
    Adversarial,
    Annealed,
    BoundaryEquilibrium,
    Callback,
    Hinge,
    NonSaturating,
    ReconstructionCritic,
    Wasserstein,
    compile,
    fit,
    load_weights,
)
from probgen.infer.checkpoint import read_checkpoint
from tests.probgen.infer.adversarial.games import Joined, plane_game, plane_law

ROOT = Path(__file__).resolve().parents[4]
QUIET = {"progress": False, "accelerator": "cpu"}


class Batches:
    """Minibatches drawn from the global generator."""

    def __init__(self, data, size=4):
        self.data, self.size = data, size

    def __iter__(self):
        for part in torch.randperm(len(self.data)).split(self.size):
            yield self.data[part]


class Stop(Callback):
    """Ends a run after a step: by a signal, or in good order."""

    def __init__(self, step, number=None):
        self.step, self.number = step, number

    def on_step_end(self, training):
        if training.step == self.step:
            os.kill(os.getpid(), self.number) if self.number else training.stop()


def hard_game():
    """Everything that a resumed run must find again: batch statistics, dropout, spectral norms, a balance, a schedule."""
    generator = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    first = nn.utils.parametrizations.spectral_norm(nn.Linear(2, 4))
    critic = ReconstructionCritic(nn.Sequential(first, nn.Dropout(0.3), nn.Linear(4, 2)))
    method = Adversarial(BoundaryEquilibrium(rate=0.1), critic_steps=3, penalties=[R1(0.1)], penalty_share=0.5)
    loss = method(ImplicitLaw(standard_normal(2), generator, (2,)), critic)
    loss.extra = Annealed(0.0, 1.0, 100)
    return loss


def run(folder, *, callbacks=(), resume=False, steps=22):
    """One run of a fixed experiment."""
    torch.manual_seed(1)
    loss, data = hard_game(), Batches(4 * torch.randn(20, 2))
    ema = EMA(loss.law, 0.9)
    history = fit(
        loss, data, {"critic": adam(2e-3), "generator": adam(1e-3)}, steps=steps, ema=ema,
        schedule={"critic": decay(0.9), "generator": decay(0.8)}, clip_norm={"critic": 1.0, "generator": None},
        validation=lambda loss: loss.estimate(data.data), validate_every=5, callbacks=callbacks, checkpoint=folder,
        checkpoint_every=3, resume=resume, **QUIET,
    )  # fmt: skip
    return {**{name: value.clone() for name, value in loss.state_dict().items()}, "average": ema.average}, history


def adam(rate):
    return lambda parameters: torch.optim.Adam(parameters, rate, betas=(0.5, 0.9))


def decay(factor):
    return lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, factor)


def assert_identical(found, expected):
    assert found[0].keys() == expected[0].keys()
    for name, value in found[0].items():
        for a, b in zip(value, expected[0][name], strict=True) if name == "average" else ((value, expected[0][name]),):
            assert torch.equal(a, b), name
    assert (found[1].losses, found[1].players, found[1].validation) == (
        expected[1].losses, expected[1].players, expected[1].validation,
    )  # fmt: skip


def test_a_run_stopped_within_a_round_resumes_bit_for_bit(tmp_path):
    whole = run(tmp_path / "a")
    assert whole[0]["divergence.balance"] != 0
    run(tmp_path / "b", callbacks=[Stop(6)])  # two steps into the second round
    assert "divergence.balance" in read_checkpoint(tmp_path / "b" / "last.safetensors")[0]
    assert_identical(run(tmp_path / "b", resume=True), whole)


def test_ctrl_c_saves_within_a_round(tmp_path):
    whole = run(tmp_path / "a")
    stopped = run(tmp_path / "b", callbacks=[Stop(13, signal.SIGINT)])
    assert stopped[1].interrupted
    assert stopped[1].steps == 13
    assert_identical(run(tmp_path / "b", resume=True), whole)


@pytest.mark.slow
def test_a_killed_game_resumes_bit_for_bit(tmp_path):
    script = (
        "import signal, sys, torch; torch.set_num_threads(1); from pathlib import Path\n"
        "from tests.probgen.infer.adversarial.test_games import run, Stop\n"
        "run(Path(sys.argv[1]), callbacks=[Stop(11, signal.SIGKILL)])"
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


def test_the_generators_average_moves_with_the_generator_alone():
    torch.manual_seed(0)
    loss = plane_game(Adversarial(Hinge(), critic_steps=2))
    ema = EMA(loss.law, 0.5, warmup=False)
    expected = [p.detach().clone() for p in loss.law.parameters()]

    class Follow(Callback):
        def on_step_end(self, training):
            if training.history.players[-1] == "generator":
                for value, parameter in zip(expected, loss.law.parameters(), strict=True):
                    value.lerp_(parameter.detach(), 0.5)

    seen = []

    def validation(loss):
        seen.append([p.detach().clone() for p in loss.law.parameters()])
        return loss.estimate(torch.zeros(4, 2))

    fit(loss, [torch.randn(4, 2)] * 7, ema=ema, callbacks=[Follow()], validation=validation, **QUIET)
    assert ema.steps == 2
    for a, b, c in zip(ema.average, expected, seen[-1], strict=True):
        torch.testing.assert_close(a, b)
        assert torch.equal(a, c)  # validation used the average


def test_the_best_checkpoint_holds_the_averaged_generator(tmp_path):
    torch.manual_seed(0)
    loss = plane_game()
    ema = EMA(loss.law, 0.5)
    fit(loss, [torch.randn(8, 2)] * 4, ema=ema, validation=lambda _: 1.0, checkpoint=tmp_path, **QUIET)
    other = copy.deepcopy(loss)
    load_weights(other, tmp_path / "best.safetensors")
    for a, b in zip(other.law.parameters(), ema.average, strict=True):
        assert torch.equal(a, b)
    for a, b in zip(other.critic.parameters(), loss.critic.parameters(), strict=True):
        assert torch.equal(a, b)


def test_every_player_has_its_own_rate_and_clipping():
    torch.manual_seed(0)
    loss = plane_game(Adversarial(Wasserstein()))
    before = [p.detach().clone() for p in loss.parameters()]
    rates = {"critic": lambda p: torch.optim.SGD(p, 1.0), "generator": lambda p: torch.optim.SGD(p, 0.5)}
    fit(loss, [100 * torch.randn(8, 2)] * 2, rates, clip_norm={"critic": 1e-3, "generator": 1e-2}, **QUIET)
    moved = {id(p): (p.detach() - b).square().sum() for p, b in zip(loss.parameters(), before, strict=True)}
    lengths = {name: sum(moved[id(p)] for p in player.parameters).sqrt() for name, player in loss.players.items()}
    torch.testing.assert_close(lengths["critic"], torch.tensor(1e-3))
    torch.testing.assert_close(lengths["generator"], torch.tensor(5e-3), rtol=1e-3, atol=0.0)


class Bomb(nn.Module):
    """A network whose output is NaN from its third generator's turn on."""

    def __init__(self):
        super().__init__()
        self.net = Joined(2, 2)
        self.calls = 0

    def forward(self, z):
        self.calls += torch.is_grad_enabled()
        return self.net(z) * (float("nan") if self.calls == 3 and torch.is_grad_enabled() else 1.0)


def test_a_loss_that_is_not_a_number_names_the_player_and_keeps_the_last_checkpoint(tmp_path):
    loss = Adversarial(NonSaturating())(ImplicitLaw(standard_normal(2), Bomb(), (2,)), Joined(2, 1))
    with pytest.raises(FloatingPointError, match="the loss of player 'generator' is nan at step 5"):
        fit(loss, [torch.randn(4, 2)] * 12, checkpoint=tmp_path, checkpoint_every=2, **QUIET)
    weights, state = read_checkpoint(tmp_path / "last.safetensors")
    assert state["step"] == 4
    assert all(value.isfinite().all() for value in weights.values())


def test_half_precision_games_train():
    torch.manual_seed(0)
    loss = Adversarial(Wasserstein(10.0), penalties=[R1(0.1)])(plane_law(), Joined(2, 1))
    dtypes = []
    loss.critic.net[0].register_forward_hook(lambda module, given, output: dtypes.append(output.dtype))
    history = fit(loss, [torch.randn(8, 2)] * 6, adam(1e-3), precision="bf16-mixed", **QUIET)
    assert set(dtypes) == {torch.bfloat16}
    assert all(parameter.dtype == torch.float32 for parameter in loss.parameters())
    assert torch.tensor(history.losses).isfinite().all()


@pytest.mark.parametrize("divergence", [Wasserstein(10.0), Wasserstein(clip=0.01), BoundaryEquilibrium(rate=0.1)])
def test_compiled_games_follow_the_same_trajectory(divergence):
    """Second derivatives, clipped parameters and buffers included."""
    torch.manual_seed(0)
    equilibrium = isinstance(divergence, BoundaryEquilibrium)
    critic = ReconstructionCritic(Joined(2, 2)) if equilibrium else Joined(2, 1)
    slow = Adversarial(divergence, critic_steps=2)(plane_law(), critic)
    twin = copy.deepcopy(slow)
    fast = compile(twin, backend="eager")
    histories = []
    for loss in (slow, fast):
        torch.manual_seed(3)
        histories.append(fit(loss, [torch.randn(8, 2)] * 7, **QUIET))
    torch.testing.assert_close(histories[0].losses, histories[1].losses)
    assert fast.recordings == 2
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(value, slow.state_dict()[name])


def test_losses_are_logged_by_player(tmp_path):
    from lightning_fabric.loggers import CSVLogger

    logger = CSVLogger(tmp_path, name="run", flush_logs_every_n_steps=1)
    fit(plane_game(), [torch.randn(4, 2)] * 4, log_every=4, loggers=[logger], **QUIET)
    header = next(tmp_path.rglob("metrics.csv")).read_text().splitlines()[0]
    assert {"loss_critic", "loss_generator"} <= set(header.split(","))


def test_a_trained_law_comes_back_from_a_file(tmp_path):
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2), nn.Tanh())
    law = ImplicitLaw(standard_normal(2), generator, (2,))
    fit(Adversarial(NonSaturating())(law, Joined(2, 1)), [torch.randn(8, 2)] * 4, **QUIET)
    pg.save(law, tmp_path / "law.safetensors")
    other = pg.load(tmp_path / "law.safetensors").eval()
    law.eval()
    torch.manual_seed(1)
    expected = law().sample((5,))
    torch.manual_seed(1)
    assert torch.equal(other().sample((5,)), expected)


def test_a_game_on_the_plane_finds_its_law():
    """R1 and the non-saturating loss bring the mean of a normal law home within a second or two."""
    torch.manual_seed(0)
    x = torch.randn(512, 2) + torch.tensor([2.0, -1.0])
    loss = Adversarial(NonSaturating(), penalties=[R1(0.5)])(plane_law(), Joined(2, 1, hidden=16))
    fit(loss, Batches(x, 128), adam(0.02), steps=400, **QUIET)
    assert (loss.law().sample((2000,)).mean(0) - x.mean(0)).abs().max() < 0.5
