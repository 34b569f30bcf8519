"""The discrete cosine transform against scipy."""

import pytest
import scipy.fft
import torch

from probgen.distributions.bijectors import DiscreteCosine


@pytest.mark.parametrize("shape", [(3, 1), (3, 2), (2, 7), (4, 8)])
def test_scipy_agrees(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(DiscreteCosine()(x), torch.as_tensor(scipy.fft.dct(x.numpy(), norm="ortho")))
    image = DiscreteCosine((-2, -1))
    torch.testing.assert_close(image(x), torch.as_tensor(scipy.fft.dctn(x.numpy(), norm="ortho")))
    torch.testing.assert_close(image.inverse(image(x)), x)
