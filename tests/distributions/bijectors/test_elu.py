import torch

from probgen.distributions.bijectors import ELU


def test_matches_torch():
    x = torch.linspace(-5, 5, 21, dtype=torch.float64)
    torch.testing.assert_close(ELU()(x), torch.nn.functional.elu(x), rtol=1e-14, atol=1e-16)


def test_codomain_is_above_minus_one():
    assert ELU().codomain.check(ELU()(torch.tensor([-3.0, -30.0, -1e30]))).all()
    assert not ELU().codomain.check(torch.tensor(-1.0))


def test_log_det_is_exact_where_the_value_saturates():
    x = torch.tensor([-100.0, -1e30, 2.0])
    assert torch.equal(ELU().forward_log_det_jacobian(x), x.clamp(max=0))


def test_small_inputs_keep_their_digits():
    x = torch.tensor([-1e-20, -1e-7])
    torch.testing.assert_close(ELU().inverse(ELU()(x)), x, rtol=1e-6, atol=0)
