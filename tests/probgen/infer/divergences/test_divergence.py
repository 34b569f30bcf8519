"""The abstract classes: means, defaults, and what is refused."""

import pytest
import torch

from probgen.infer import Divergence, PointwiseDivergence
from probgen.infer.divergences.divergence import mean_score


class Mine(PointwiseDivergence):
    def data_term(self, output):
        return output**2

    def draw_term(self, output):
        return 3 * output

    def generator_term(self, output):
        return -output


def test_terms_are_averaged_over_their_own_sides():
    mine, real, fake = Mine(), torch.tensor([1.0, 3.0]), torch.tensor([1.0, 2.0, 3.0])
    assert mine.critic_loss(real, fake) == 5 + 6
    assert mine.generator_loss(fake) == mine.generator_loss(fake, real) == -2
    assert mine.estimate(real, fake) == -11


def test_an_example_more_leaves_the_terms_of_the_others():
    outputs = torch.randn(6)
    torch.testing.assert_close(Mine().data_term(outputs)[:5], Mine().data_term(outputs[:5]), rtol=0, atol=0)


def test_defaults():
    assert Divergence().penalties == ()
    assert Divergence().needs_critic
    assert not Divergence().generator_sees_data
    critic = torch.nn.Linear(2, 1)
    before = critic.weight.clone()
    Mine().constrain(critic)
    Mine().advance(torch.zeros(2), torch.zeros(2))
    assert torch.equal(critic.weight, before)


@pytest.mark.parametrize("method", ["log_ratio", "best_output"])
def test_what_is_not_known_is_refused_by_name(method):
    with pytest.raises(NotImplementedError, match="best critic of Mine"):
        getattr(Mine(), method)(torch.zeros(2))


@pytest.mark.parametrize("method", ["data_term", "draw_term", "generator_term"])
def test_abstract_terms(method):
    with pytest.raises(NotImplementedError):
        getattr(PointwiseDivergence(), method)(torch.zeros(2))


def test_abstract_losses():
    with pytest.raises(NotImplementedError):
        Divergence().critic_loss(torch.zeros(2), torch.zeros(2))
    with pytest.raises(NotImplementedError):
        Divergence().generator_loss(torch.zeros(2))


def test_mean_of_nothing_is_zero():
    assert mean_score(torch.zeros(0, 3)) == 0
    assert mean_score(torch.tensor([[1.0, 2.0], [3.0, 6.0]])) == 3
