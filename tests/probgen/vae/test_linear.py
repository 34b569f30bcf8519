"""Linear autoencoders find the principal components: errors and subspaces, against the singular value decomposition."""

import numpy
import pytest
import torch

import probgen as pg
from probgen.data import load_digits
from probgen.vae import PrincipalComponents, linear_autoencoder, principal_angles, principal_components


def digits():
    return load_digits().train.x.double().flatten(1) / 16


def test_components_against_numpy():
    x = torch.randn(50, 4, dtype=torch.float64) @ torch.randn(4, 4, dtype=torch.float64)
    found = principal_components(x, 2)
    values, vectors = numpy.linalg.eigh(numpy.cov(x.numpy().T, bias=True))
    torch.testing.assert_close(found.variances, torch.from_numpy(values[::-1].copy()))
    assert principal_angles(found.directions, torch.from_numpy(vectors[:, ::-1][:, :2].copy())).max() < 1e-10
    assert found.discarded() == found.variances[2:].sum()


@pytest.mark.parametrize("count", [1, 8, 32])
def test_projection_has_the_error_of_the_theorem(count):
    found = principal_components(digits(), count)
    model = found.autoencoder()
    torch.testing.assert_close(model.error(digits()).mean(), found.discarded())


def test_fewer_rows_than_coordinates():
    x = torch.randn(3, 6, dtype=torch.float64)
    found = principal_components(x, 2)
    assert found.variances.shape == (6,)
    assert found.variances[2:].abs().max() < 1e-12
    assert found.autoencoder().error(x).max() < 1e-12


def test_training_recovers_the_components():
    """Eight codes of the digits from a random start: error within 1e-6 of the sum of the discarded variances, angle 1e-3."""
    x, count = digits(), 8
    best = principal_components(x, count)
    model = linear_autoencoder(64, count).double()
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=1000, history_size=50, line_search_fn="strong_wolfe", tolerance_change=0
    )

    def closure():
        optimizer.zero_grad()
        loss = model.loss()(x)
        loss.backward()
        return loss

    optimizer.step(closure)
    excess = model.error(x).mean() / best.discarded() - 1
    assert -1e-12 < excess < 1e-6
    assert principal_angles(model.decoder.weight.detach(), best.directions).max() < 1e-3


def test_training_by_fit():
    """Stochastic steps come within 2 % of the best error; codes left out cost far more."""
    x = digits().float()
    model = linear_autoencoder(64, 8)
    batches = pg.data.Batches(x, 100, seed=0)
    pg.infer.fit(
        model.loss(),
        batches,
        lambda parameters: torch.optim.Adam(parameters, lr=2e-2),
        steps=600,
        schedule=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600),
        progress=False,
    )
    best, next_best = principal_components(x, 8).discarded(), principal_components(x, 7).discarded()
    assert best * 0.999 < model.error(x).mean() < 1.02 * best < next_best


def test_angles():
    a = torch.eye(4, dtype=torch.float64)[:, :2]
    turned = a @ torch.tensor([[2.0, 1.0], [0.0, 3.0]], dtype=torch.float64)
    assert principal_angles(a, turned).max() < 1e-12
    tilt = torch.tensor([1e-9, 0.5], dtype=torch.float64)
    b = torch.zeros(4, 2, dtype=torch.float64)
    b[0, 0], b[1, 1], b[2, 0], b[3, 1] = tilt[0].cos(), tilt[1].cos(), tilt[0].sin(), tilt[1].sin()
    torch.testing.assert_close(principal_angles(a, b), tilt, rtol=1e-6, atol=0)


def test_all_kept():
    x = torch.randn(5, 2)
    found = principal_components(x, 2)
    assert isinstance(found, PrincipalComponents)
    assert found.discarded() == 0
    torch.testing.assert_close(found.autoencoder()(x), x)


def test_errors():
    with pytest.raises(ValueError, match=r"`x` must be a matrix \[N, D\] with N > 0; got shape \(0, 3\)"):
        principal_components(torch.zeros(0, 3), 1)
    with pytest.raises(ValueError, match="`count` must lie between 1 and the 3 coordinates"):
        principal_components(torch.zeros(2, 3), 4)
    with pytest.raises(ValueError, match="must be positive; got 3 and 0"):
        linear_autoencoder(3, 0)
    with pytest.raises(ValueError, match="must be matrices"):
        principal_angles(torch.zeros(3, 1), torch.zeros(3, 2))
