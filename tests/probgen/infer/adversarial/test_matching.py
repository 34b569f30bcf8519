"""Wrong contexts, and what they do to the end of the game."""

import torch

from probgen.infer.adversarial.matching import other_contexts, wrong_outputs


def test_nobody_keeps_its_place():
    context = torch.arange(12).reshape(4, 3)
    moved = other_contexts(context)
    assert sorted(moved[:, 0].tolist()) == [0, 3, 6, 9]
    assert (moved != context).all()


def test_where_the_wrong_context_is_the_right_one_the_draw_stands_in():
    wrong, fake = torch.randn(4, 1, 2, 2), torch.randn(4, 1, 2, 2)
    context = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    found = wrong_outputs(wrong, fake, context)
    assert torch.equal(found[[0, 1, 3]], wrong[[0, 1, 3]])
    assert torch.equal(found[2], fake[2])
    assert torch.equal(wrong_outputs(wrong[:1], fake[:1], context[:1]), fake[:1])  # a batch of one has no other context


def test_the_game_ends_at_sharper_laws():
    """Two labels, two events: the divergence of p from the mixture is not least at q = p, but at a larger p(x = c | c)."""
    right = torch.tensor(0.8, dtype=torch.float64)  # p(x = c | c)

    def game(theta):
        def joint(share):
            return torch.stack([share, 1 - share]) / 2

        p, mixture = joint(right), (joint(theta) + torch.full((2,), 0.25, dtype=torch.float64)) / 2
        middle = (p + mixture) / 2
        return (p * (p / middle).log() + mixture * (mixture / middle).log()).sum()

    theta = right.clone().requires_grad_()
    assert torch.autograd.grad(game(theta), theta)[0] < -0.01
