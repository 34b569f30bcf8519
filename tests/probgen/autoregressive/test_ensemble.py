"""Orders that share their weights: one set of parameters, a mixture that is a law, a loss that goes through the orders."""

import copy

import pytest
import torch

from probgen.autoregressive import OrderAgnosticLoss, OrderEnsemble, made, made_ensemble
from probgen.infer import load, save


def ensemble_of(orders=3, **options):
    torch.manual_seed(0)
    return made_ensemble((2, 3), orders=orders, hidden=(16,), **options).double()


def states():
    return torch.cartesian_prod(*[torch.arange(2.0)] * 6).reshape(-1, 2, 3).double()


def test_all_orders_use_the_same_weights_and_differ():
    ensemble = ensemble_of()
    first, second, third = ensemble.laws
    assert len(list(ensemble.parameters())) == len(list(first.parameters()))
    assert all(p is q for p, q in zip(first.parameters(), second.parameters(), strict=True))
    assert first.network.levels != second.network.levels != third.network.levels
    x = states()
    assert not torch.allclose(first().log_prob(x), second().log_prob(x))


def test_the_mixture_is_the_mean_of_probabilities_and_no_worse_than_the_mean_member():
    ensemble, x = ensemble_of(), states()
    members = torch.stack([law().log_prob(x) for law in ensemble.laws])
    mixture = ensemble().log_prob(x)
    torch.testing.assert_close(mixture.exp(), members.exp().mean(0))
    torch.testing.assert_close(mixture.exp().sum(), torch.ones((), dtype=torch.float64))
    assert (mixture >= members.mean(0) - 1e-12).all()


def test_the_loss_gives_each_datum_to_one_order_in_turn():
    ensemble, x = ensemble_of(), states()[:7]
    expected = torch.stack([-ensemble.laws[n % 3]().log_prob(x[n]) for n in range(7)]).mean()
    loss = OrderAgnosticLoss(ensemble)
    torch.testing.assert_close(loss(x), expected)
    torch.testing.assert_close(loss(x[:0]), torch.zeros((), dtype=torch.float64))
    torch.testing.assert_close(loss(x[:1]), -ensemble.laws[0]().log_prob(x[0]))


def test_contexts_go_with_their_data():
    ensemble = ensemble_of(context_shape=(2,))
    x, context = states()[:5], torch.randn(5, 2).double()
    expected = torch.stack([-ensemble.laws[n % 3](context[n]).log_prob(x[n]) for n in range(5)]).mean()
    torch.testing.assert_close(OrderAgnosticLoss(ensemble)(x, context), expected)
    assert ensemble(context).sample().shape == (5, 2, 3)


def test_training_serves_all_orders():
    ensemble = ensemble_of(2)
    x = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]).double().expand(8, 2, 3)
    loss = OrderAgnosticLoss(ensemble)
    optimizer = torch.optim.Adam(loss.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        loss(x).backward()
        optimizer.step()
    for law in ensemble.laws:
        assert law().log_prob(x[0]) > -0.4  # of -6 log 2 = -4.2 at the start


def test_copies_and_files_keep_the_sharing(tmp_path):
    ensemble, x = ensemble_of(), states()
    save(ensemble, tmp_path / "ensemble.safetensors")
    for other in (copy.deepcopy(ensemble), load(tmp_path / "ensemble.safetensors")):
        torch.testing.assert_close(other().log_prob(x), ensemble().log_prob(x), rtol=0, atol=0)
        assert len(list(other.parameters())) == len(list(ensemble.parameters()))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="`orders` must be positive; got 0"):
        made_ensemble((4,), orders=0)
    with pytest.raises(ValueError, match="at least one law"):
        OrderEnsemble([])
    with pytest.raises(ValueError, match="agree in `event_shape`"):
        OrderEnsemble([made((4,), hidden=(4,)), made((5,), hidden=(4,))])
