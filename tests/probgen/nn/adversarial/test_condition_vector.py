"""Contexts of generators and critics."""

import pytest
import torch

from probgen.distributions._checks import ContextError
from probgen.nn import ClassConditioning, DCGANCritic, DCGANGenerator, ImageConditioning, TextConditioning, VectorConditioning
from probgen.nn.adversarial import ConditionVector, ProjectionOutput, normal_initialized
from probgen.nn.adversarial.condition_vector import initialized_around_condition


@pytest.mark.parametrize(
    ("conditioning", "context", "features"),
    [
        (ClassConditioning(4, 6), torch.arange(3), 6),
        (VectorConditioning(2), torch.zeros(3, 2), 4),
        (TextConditioning(9, 4, width=8, layers=1, heads=2), torch.zeros(3, 4, dtype=torch.int64), 8),
    ],
    ids=["class", "vector", "text"],
)
def test_every_conditioning_with_a_vector(conditioning, context, features):
    vector = ConditionVector(conditioning)
    assert vector.features == conditioning.vector_features
    assert vector(context, "it", (3,)).shape == (3, vector.features)
    assert vector(context[0], "it", (3,)).shape == (3, vector.features)
    generator = DCGANGenerator((1, 8, 8), 4, channels=4, conditioning=conditioning).eval()
    assert generator(torch.zeros(3, 4), context).shape == (3, 1, 8, 8)


def test_none_and_what_gives_no_vector():
    vector = ConditionVector(None)
    assert (vector.features, vector.context_shape, vector(None, "it", (3,))) == (0, None, None)
    with pytest.raises(ContextError):
        vector(torch.zeros(3), "it", (3,))
    with pytest.raises(ValueError, match="ImageConditioning gives none"):
        ConditionVector(ImageConditioning(1, 4, 4))
    with pytest.raises(TypeError, match="must be a Conditioning"):
        ConditionVector(10)


def test_projection_is_an_inner_product():
    """The difference of two contexts' outputs is linear in the features: (V (c - c'))^T h."""
    torch.manual_seed(0)
    output = ProjectionOutput(5, 3).double()
    h, c, d = torch.randn(2, 5).double(), torch.randn(2, 3).double(), torch.randn(2, 3).double()
    expected = ((c - d) @ output.embedding.weight.T * h).sum(1, keepdim=True)
    torch.testing.assert_close(output(h, c) - output(h, d), expected)
    torch.testing.assert_close(output(h, 0 * c), output.linear(h))


def test_a_projection_critic_tells_which_label_fits():
    """Two constant images, each with its label: pairs are told from mismatched pairs."""
    torch.manual_seed(0)
    critic = DCGANCritic((1, 8, 8), channels=4, normalization="none", conditioning=ClassConditioning(2, 4))
    x = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1).expand(2, 1, 8, 8)
    right, wrong = torch.tensor([0, 1]), torch.tensor([1, 0])
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        gap = critic(x, right) - critic(x, wrong)
        torch.nn.functional.softplus(-gap).sum().backward()
        optimizer.step()
    assert gap.min() > 1


def test_the_conditioning_keeps_its_start():
    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(50, 50)
            self.condition = ConditionVector(ClassConditioning(50, 50))

    network = Network()
    before = network.condition.conditioning.embedding.weight.clone()
    initialized_around_condition(network, normal_initialized)
    assert torch.equal(network.condition.conditioning.embedding.weight, before)
    assert 0.018 < network.linear.weight.std() < 0.022
