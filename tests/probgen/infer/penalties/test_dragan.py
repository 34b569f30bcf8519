"""DRAGAN: the slope near data, and data only."""

import pytest
import torch

from probgen.infer import Dragan


def test_linear_critic():
    x = torch.randn(64, 2, dtype=torch.float64)
    assert float(Dragan(10.0)(lambda x: 3 * x[:, 0], x, x)) == pytest.approx(40.0)
    assert float(Dragan(10.0)(lambda x: x[:, 1], x, x)) == pytest.approx(0.0, abs=1e-24)


@pytest.mark.statistical(false_alarm=1e-9)
def test_noise_has_the_deviation_that_is_given():
    # Detects a deviation off by 5 %: 40,000 numbers tell it to 0.35 %; bounds are 6.1 standard errors.
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.sum(1)

    Dragan(deviation=0.3)(critic, torch.full((200, 200), 7.0), torch.zeros(200, 200))
    noise = seen[0] - 7
    assert abs(noise.square().mean().sqrt() / 0.3 - 1) < 6.1 / (2 * 40_000) ** 0.5
    assert abs(noise.mean()) < 6.1 * 0.3 / 200


def test_without_noise_it_is_the_slope_at_the_data():
    x = torch.tensor([[2.0], [3.0]])
    terms = Dragan(deviation=0.0).terms(lambda x: x.square().sum(1) / 2, x, x)
    torch.testing.assert_close(terms.detach(), torch.tensor([1.0, 4.0]))


def test_deviation_must_not_be_negative():
    with pytest.raises(ValueError, match="`deviation` must not be negative"):
        Dragan(deviation=-0.1)
    with pytest.raises(ValueError, match="`deviation` must not be negative"):
        Dragan(deviation=float("nan"))
