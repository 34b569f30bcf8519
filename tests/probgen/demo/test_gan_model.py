"""The adversarial network behind the demo's interface: draws at gray values, labels that matter, a game, no density."""

import pyro
import pytest
import torch

from probgen import infer
from probgen.demo import (
    ENTRIES,
    FlowModel,
    GANModel,
    Settings,
    adversarial,
    digits_gan,
    image_batches,
    load_problem,
)
from probgen.distributions.bijectors import Affine


@pytest.fixture(scope="module")
def problem():
    return load_problem(Settings.smoke())


def small(frequency=None):
    torch.manual_seed(0)
    return GANModel(digits_gan(width=16), frequency)


def test_it_takes_part():
    entry = ENTRIES["adversarial network"]
    assert entry.objective is adversarial
    assert entry.serves_both


def test_draws_are_gray_values_in_the_middle_of_their_cells():
    model = small()
    for draws in (model.sample(20), model.sample(20, torch.arange(20) % 10), model.decode(torch.randn(20, 32))):
        assert draws.shape == (20, 64)
        code = draws * 17 - 0.5
        assert torch.allclose(code, code.round(), atol=1e-4)
        assert 0 <= code.min() <= code.max() <= 16.001


def test_without_a_label_it_is_drawn_by_its_frequency():
    """With all weight on one class the two laws are one."""
    sure = torch.zeros(10)
    sure[3] = 1.0
    model, z = small(sure), torch.randn(50, 32)
    assert torch.equal(model.decode(z), model.decode(z, torch.full((50,), 3)))
    assert not torch.equal(model.decode(z), model.decode(z, torch.full((50,), 4)))


def test_the_program_draws_and_cannot_be_scored(problem):
    model, v, label = small(), problem.test_v[0][:7], problem.test.labels[:7]
    trace = pyro.poutine.trace(model).get_trace(v, label)
    assert trace.nodes["x"]["value"].shape == (7, 1, 8, 8)
    with pytest.raises(NotImplementedError):
        trace.compute_log_prob()
    with pytest.raises(NotImplementedError):
        model.log_prob(v)
    with pytest.raises(NotImplementedError):
        model.encode(v)


def test_the_game_sees_centered_images_and_sums_over_the_batch(problem):
    model, v, label = small(), problem.test_v[0][:12], problem.test.labels[:12]
    loss = adversarial(model)
    assert {name: player.steps for name, player in loss.players.items()} == {"critic": 1, "generator": 1}
    torch.manual_seed(1)
    found = loss(v, label, player="generator")
    torch.manual_seed(1)
    plain = infer.Adversarial(infer.NonSaturating())(model.generator_law, model.critic)
    expected = 12 * plain(model.data(v), label, player="generator")
    assert torch.allclose(found, expected)
    assert torch.allclose(loss(v, label, player="critic") / 12, torch.tensor(1.386), atol=0.3)  # about 2 log 2 at the start


def test_a_few_turns_move_both_players(problem):
    model = small()
    before = [parameter.clone() for parameter in model.parameters()]
    infer.fit(adversarial(model), image_batches(problem, conditional=True, seed=0), steps=4, progress=False, accelerator="cpu")
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_pictures_have_their_shapes():
    assert [rows.shape for rows in small().pictures().values()] == [(5, 10, 64), (5, 10, 64)]


def test_a_way_is_one_of_draws_of_one_class():
    torch.manual_seed(0)
    way = small().path(torch.rand(2, 64), torch.linspace(0, 1, 6))
    assert way.shape == (6, 64)
    assert (way[0] - way[-1]).abs().max() > 1e-3


def test_another_model_is_refused():
    with pytest.raises(TypeError, match="GANModel"):
        adversarial(FlowModel(Affine(shape=(64,)), Affine(shape=(64,))))
