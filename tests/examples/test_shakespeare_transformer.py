"""The n-grams that the transformer is compared with are laws, and see what they say they see."""

import pytest
import torch

from tests.examples.loading import load


@pytest.fixture(scope="module")
def example():
    return load("shakespeare_transformer")


def text(n=2000, symbols=5):
    generator = torch.Generator().manual_seed(0)
    codes = [0, 1]
    for jump in torch.randint(3, (n,), generator=generator).tolist():
        codes.append((codes[-1] + codes[-2] + min(jump, 1)) % symbols)
    return torch.tensor(codes)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_an_n_gram_has_mass_one_after_every_context(example, order):
    model = example.NGram(text()[:300], 6, order)  # the symbol 5 never occurs, nor do most contexts
    contexts = torch.cartesian_prod(*[torch.arange(6)] * (order - 1)).reshape(-1, order - 1) if order > 1 else torch.zeros(1, 0)
    windows = torch.cat([contexts.long().repeat_interleave(6, 0), torch.arange(6).repeat(len(contexts)).unsqueeze(1)], 1)
    mass = model.probability(windows).reshape(-1, 6)
    assert (mass > 0).all()
    torch.testing.assert_close(mass.sum(1), torch.ones(len(mass)).double())


def test_a_trigram_finds_the_law_of_a_chain_of_order_two(example):
    codes = text(6000)
    bits = example.NGram(codes[:5000], 5, 3).bits(codes[5000:])
    assert len(bits) == 1002
    entropy = torch.distributions.Categorical(torch.tensor([1 / 3, 2 / 3]).double()).entropy() / torch.tensor(2.0).log()
    assert abs(bits[2:].mean() - entropy) < 0.1  # a bigram needs about one bit more
    assert example.NGram(codes[:5000], 5, 2).bits(codes[5000:])[2:].mean() > entropy + 0.5


def test_each_character_is_scored_once_with_the_context_that_was_promised(example):
    class Counting(torch.nn.Module):
        """Scores a character by how many stand before it in its window."""

        event_shape = (8,)

        def network(self, windows):
            return torch.arange(8.0).expand(len(windows), 8)

        def element(self, params):
            class Law:
                log_prob = staticmethod(lambda _values: params)

            return Law()

    known = -example.bits_of(Counting(), torch.arange(21), stride=3) * torch.tensor(2.0).log()
    assert len(known) == 21
    assert known[:8].round().tolist() == list(range(8))
    assert known[8:].round().min() >= 5
