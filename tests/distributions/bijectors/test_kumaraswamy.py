import pytest
import torch

from probgen.distributions.bijectors import KumaraswamyCDF


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (2.0, 0.5), (0.5, 3.0)])
def test_matches_torch_distribution(a, b):
    x = torch.linspace(0.01, 0.99, 21, dtype=torch.float64)
    oracle = torch.distributions.Kumaraswamy(torch.tensor(a).double(), torch.tensor(b).double())
    y, log_det = KumaraswamyCDF(a, b).double().forward_and_log_det(x)
    torch.testing.assert_close(y, 1 - (1 - x**a) ** b)
    torch.testing.assert_close(log_det, oracle.log_prob(x))


def test_raw_zero_is_the_identity():
    x = torch.tensor([1e-30, 1e-8, 0.3, 0.9])
    y, log_det = KumaraswamyCDF().forward_and_log_det(x)
    torch.testing.assert_close(y, x, rtol=1e-6, atol=0)
    assert (log_det.abs() < 1e-6).all()


def test_small_values_keep_their_digits():
    f = KumaraswamyCDF(2.0, 3.0)
    x = torch.tensor([1e-15, 1e-5])
    torch.testing.assert_close(f.inverse(f(x)), x, rtol=3e-6, atol=0)


def test_ends_have_finite_images_and_log_dets():
    ends = torch.tensor([0.0, 1.0])
    for values in (*KumaraswamyCDF(2.0, 0.5).forward_and_log_det(ends), *KumaraswamyCDF(2.0, 0.5).inverse_and_log_det(ends)):
        assert values.isfinite().all()
