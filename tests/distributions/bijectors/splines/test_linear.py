import numpy as np
import torch

from probgen.distributions.bijectors import LinearSpline


def test_interpolates_its_knots():
    widths, heights = torch.tensor([1.0, 3.0, 4.0]).double(), torch.tensor([2.0, 1.0, 1.0]).double()
    spline = LinearSpline(3, bound=1.0, widths=widths, heights=heights)
    x = torch.linspace(-1, 1, 33, dtype=torch.float64)
    expected = np.interp(x.numpy(), [-1.0, -0.75, 0.0, 1.0], [-1.0, 0.0, 0.5, 1.0])
    torch.testing.assert_close(spline(x), torch.as_tensor(expected))


def test_log_det_is_that_of_the_bin_on_the_right():
    spline = LinearSpline(2, bound=1.0, widths=torch.ones(2), heights=torch.tensor([1.0, 3.0]))
    log_det = spline.forward_log_det_jacobian(torch.tensor([-0.5, 0.0, 0.5]))
    torch.testing.assert_close(log_det.exp(), torch.tensor([0.5, 1.5, 1.5]))


def test_box_is_the_cdf_of_a_histogram():
    masses = torch.tensor([0.1, 0.2, 0.7])
    spline = LinearSpline(3, interval=(0.0, 1.0), widths=torch.ones(3), heights=masses)
    torch.testing.assert_close(spline(torch.tensor([1 / 3, 2 / 3, 1.0])), masses.cumsum(0))
