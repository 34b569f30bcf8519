"""Spectral normalization against singular values, and the norm of a convolution against its matrix."""

import copy

import pytest
import torch
from torch import nn

from probgen.distributions import ImplicitDistribution, standard_normal
from probgen.infer import Adversarial, Hinge
from probgen.nn import MLP, DCGANCritic, convolution_operator_norm, orthogonal_penalty, spectral_normalized
from probgen.nn.attention import zero_initialized

LAYERS = {
    "linear": lambda: nn.Linear(7, 5),
    "convolution": lambda: nn.Conv2d(3, 8, 3),
    "transposed": lambda: nn.ConvTranspose2d(3, 8, 4),
    "embedding": lambda: nn.Embedding(9, 6),
}


def sigma(weight, transposed=False):
    """The largest singular value by a full decomposition."""
    return torch.linalg.svdvals((weight.transpose(0, 1) if transposed else weight).flatten(1).double())[0]


@pytest.mark.parametrize("kind", LAYERS)
def test_power_iteration_finds_the_largest_singular_value(kind):
    """To 1e-6 after enough forward passes, and the bias is left alone."""
    torch.manual_seed(0)
    layer = LAYERS[kind]().double()
    weight, transposed = layer.weight.detach().clone(), kind == "transposed"
    spectral_normalized(layer, power_iterations=300)
    torch.testing.assert_close(layer.weight, weight / sigma(weight, transposed), rtol=1e-6, atol=0)
    assert abs(sigma(layer.weight.detach(), transposed) - 1) < 1e-6


def test_one_step_a_pass_converges():
    torch.manual_seed(1)
    layer = spectral_normalized(nn.Linear(20, 20).double())
    errors = []
    for _ in range(200):
        errors.append(abs(sigma(layer.weight.detach()) - 1).item())
    assert errors[-1] < 1e-6
    assert errors[0] > errors[-1]


def test_evaluation_takes_no_step():
    torch.manual_seed(0)
    critic = spectral_normalized(MLP(4, 1, hidden=(8, 8))).eval()
    before = {name: value.clone() for name, value in critic.state_dict().items()}
    x = torch.randn(5, 4)
    first = critic(x)
    torch.testing.assert_close(critic(x), first, rtol=0, atol=0)
    assert all(torch.equal(value, before[name]) for name, value in critic.state_dict().items())
    critic.train()(x)
    moved = [name for name, value in critic.state_dict().items() if not torch.equal(value, before[name])]
    assert moved
    assert all(name.endswith(("_u", "_v")) for name in moved)


def test_the_network_is_lipschitz():
    """A perceptron of normalized layers and ReLU never stretches a distance."""
    torch.manual_seed(0)
    critic = spectral_normalized(MLP(4, 3, hidden=(16, 16)), power_iterations=100)
    with torch.no_grad():
        for layer in critic.layers:  # far from where it began
            layer.parametrizations.weight.original.mul_(50)
    x, y = torch.randn(2, 500, 4)
    stretch = (critic(x) - critic(y)).norm(dim=1) / (x - y).norm(dim=1)
    assert 0.05 < stretch.max() < 1 + 1e-4


def test_copies_states_and_dtypes():
    torch.manual_seed(0)
    critic = spectral_normalized(MLP(4, 1, hidden=(8,)))
    copied, fresh = copy.deepcopy(critic), spectral_normalized(MLP(4, 1, hidden=(8,)))
    fresh.load_state_dict(critic.state_dict())
    x = torch.randn(5, 4)
    torch.testing.assert_close(copied.eval()(x), critic.eval()(x), rtol=0, atol=0)
    torch.testing.assert_close(fresh.eval()(x), critic(x), rtol=0, atol=0)
    assert copied.double()(x.double()).dtype == torch.float64
    copied.train()(x.double())
    assert critic.layers[0].weight.dtype == torch.float32
    torch.testing.assert_close(fresh(x), critic(x), rtol=0, atol=0)  # the copy shares nothing


def test_normalizing_twice_is_normalizing_once():
    critic = spectral_normalized(spectral_normalized(MLP(4, 1, hidden=(8,))))
    assert len(critic.layers[0].parametrizations.weight) == 1


def test_adversarial_training_passes_twice_before_it_differentiates():
    """Data and draws go through the critic one after the other; the power iteration between them spoils no gradient."""
    torch.manual_seed(0)
    q = ImplicitDistribution(standard_normal(2), nn.Linear(2, 64), event_shape=(64,))
    critic = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), DCGANCritic((1, 8, 8), channels=4, normalization="none", spectral=True))
    loss = Adversarial(Hinge())(q, critic)
    for player in ("critic", "generator"):
        loss(torch.randn(4, 64), player=player).backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in critic.parameters())


def test_wrong_uses_are_named():
    layer = nn.Sequential(nn.Linear(2, 2))
    zero_initialized(layer[0])
    with pytest.raises(ValueError, match="the weight of `0` is zero"):
        spectral_normalized(layer)
    with pytest.raises(ValueError, match="`power_iterations` must be positive; got 0"):
        spectral_normalized(nn.Linear(2, 2), power_iterations=0)
    with pytest.raises(ValueError, match=r"`weight` must be \[out, in, k, k\]"):
        convolution_operator_norm(torch.zeros(2, 2, 5, 5), (4, 4))


def circular(weight, size):
    """The matrix of a circular convolution of images, one column an input pixel."""
    n_in = weight.shape[1] * size[0] * size[1]
    images = torch.eye(n_in, dtype=weight.dtype).reshape(n_in, weight.shape[1], *size)
    padded = nn.functional.pad(images, (1, 1, 1, 1), mode="circular")
    return nn.functional.conv2d(padded, weight).flatten(1).T


@pytest.mark.parametrize(("channels", "size"), [((1, 1), (6, 6)), ((3, 2), (5, 4)), ((2, 3), (3, 7))])
def test_operator_norm_is_that_of_the_matrix(channels, size):
    torch.manual_seed(0)
    weight = torch.randn(*channels, 3, 3, dtype=torch.float64)
    expected = torch.linalg.matrix_norm(circular(weight, size), 2)
    torch.testing.assert_close(convolution_operator_norm(weight, size), expected)


def test_the_reshaped_kernel_has_another_norm():
    """The reference's digits: one channel, seed 0, 16 x 16 pixels: 3.4707 against 6.8862; the ratio is at most k."""
    torch.manual_seed(0)
    weight = torch.randn(1, 1, 3, 3).double()
    reshaped, operator = sigma(weight).item(), convolution_operator_norm(weight, (16, 16)).item()
    assert (round(reshaped, 4), round(operator, 4)) == (3.4707, 6.8862)
    assert reshaped < operator <= 3 * reshaped


def test_spectral_normalization_does_not_make_a_convolution_lipschitz():
    torch.manual_seed(0)
    layer = spectral_normalized(nn.Conv2d(2, 4, 3), power_iterations=50)
    assert 1.5 < convolution_operator_norm(layer.weight.detach(), (16, 16)) < 3


def test_orthogonal_penalty_sees_angles_only():
    """Rows of any length, at right angles, cost nothing; the formula otherwise."""
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, 3)
    with torch.no_grad():
        rows = torch.linalg.qr(torch.randn(27, 4)).Q.T * torch.arange(1.0, 5.0)[:, None]
        layer.weight.copy_(rows.reshape(4, 3, 3, 3))
    assert orthogonal_penalty(layer) < 1e-9
    network = nn.Sequential(nn.Linear(3, 2), nn.Embedding(5, 3), nn.ConvTranspose2d(3, 2, 2))
    w, v = network[0].weight, network[2].weight.transpose(0, 1).flatten(1)
    expected = 2 * (w[0] @ w[1]) ** 2 + 2 * (v[0] @ v[1]) ** 2
    torch.testing.assert_close(orthogonal_penalty(network), expected)
    assert orthogonal_penalty(nn.ReLU()) == 0


def test_orthogonal_penalty_can_be_trained_away_under_spectral_normalization():
    torch.manual_seed(0)
    network = spectral_normalized(MLP(6, 1, hidden=(6,)))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    start = orthogonal_penalty(network).item()
    for _ in range(100):
        optimizer.zero_grad()
        orthogonal_penalty(network).backward()
        optimizer.step()
    assert orthogonal_penalty(network).item() < 0.05 * start
