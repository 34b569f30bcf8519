"""Volume, image and linear maps."""

import pytest
import torch

from probgen.distributions.implicit import Image, InjectiveLinear, log_volume


def test_length_of_a_helix():
    z = torch.linspace(-3, 3, 7, dtype=torch.float64).unsqueeze(-1)
    speed = log_volume(lambda t: torch.cat([t.cos(), t.sin(), 2 * t], -1), z).exp()
    torch.testing.assert_close(speed, torch.full((7,), 5.0**0.5, dtype=torch.float64))


def test_batches_of_matrices_and_scalars():
    z = torch.randn(5, 4, 2, 3, dtype=torch.float64)
    assert log_volume(lambda x: 2 * x, z, event_dim=2).shape == (5, 4)
    torch.testing.assert_close(log_volume(lambda x: 2 * x, z, event_dim=2).exp(), torch.full((5, 4), 64.0, dtype=torch.float64))
    torch.testing.assert_close(log_volume(lambda x: 3 * x, torch.zeros(2), event_dim=0).exp(), torch.full((2,), 3.0))
    assert log_volume(lambda x: x, torch.zeros(0, 2)).shape == (0,)


def test_small_volumes_lose_no_digits():
    """Singular values 1 and 1e-9, whose squares a Gram matrix in float64 cannot hold together."""
    matrix = torch.tensor([[1.0, 1.0], [0.0, 1e-9], [0.0, 0.0]], dtype=torch.float64)
    volume = log_volume(InjectiveLinear(matrix), torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(volume.exp().detach(), torch.tensor(1e-9, dtype=torch.float64), rtol=1e-6, atol=0.0)


def test_second_derivatives_and_vmap():
    curve = lambda t: torch.cat([t, t.square()], -1)  # noqa: E731  # speed sqrt(1 + 4 t^2)
    z = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    torch.autograd.gradgradcheck(lambda at: log_volume(curve, at), z)
    points = torch.randn(6, 1, dtype=torch.float64)
    torch.testing.assert_close(torch.func.vmap(lambda at: log_volume(curve, at))(points), log_volume(curve, points))


def test_too_few_coordinates():
    with pytest.raises(ValueError, match="must give at least 2 coordinates to be one-to-one; it gives 1"):
        log_volume(lambda z: z[:, :1], torch.zeros(3, 2))


def test_the_image_of_a_line():
    line = InjectiveLinear(torch.tensor([[3.0], [4.0]]), torch.tensor([1.0, 0.0]))
    image = Image(lambda x: line(line.inverse(x)), event_dim=1)
    assert image.check(torch.tensor([[1.0, 0.0], [4.0, 4.0], [3.0, 4.0]])).tolist() == [True, True, False]
    assert (image.event_dim, repr(image)) == (1, "Image()")
    loose = Image(lambda x: line(line.inverse(x)), event_dim=1, tolerance=1.0)
    assert loose.check(torch.tensor([3.0, 4.0]))


@pytest.mark.parametrize(
    ("matrix", "shift"), [(torch.ones(2, 3), None), (torch.ones(3, 2), torch.ones(2)), (torch.ones(3), None)]
)
def test_shapes_that_do_not_fit(matrix, shift):
    with pytest.raises(ValueError, match=r"`matrix` must be \[D, d\] with d <= D and `shift` \[D\]"):
        InjectiveLinear(matrix, shift)
