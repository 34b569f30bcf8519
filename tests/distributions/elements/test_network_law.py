"""Laws made of a network and an element: layouts, batches, contexts, precision, transforms, errors."""

import copy

import pyro
import pytest
import torch
from torch import nn

from probgen.distributions import DiscretizedLogisticMixture, Quantization
from probgen.distributions._checks import ContextError
from probgen.distributions.elements import (
    BernoulliElement,
    CategoricalElement,
    DiscretizedLogisticElement,
    DiscretizedLogisticMixtureElement,
    ElementGrid,
    NetworkLaw,
    NormalElement,
)
from probgen.distributions.events import scored

LEVELS = Quantization(8, -1.0, 1.0)


class Joined(nn.Module):
    """A network of an input and a context."""

    def __init__(self, features, out):
        super().__init__()
        self.linear = nn.Linear(features, out)

    def forward(self, x, context):
        return self.linear(torch.cat([x, context], -1))


def law_of(element, event_shape, inputs=2):
    count = element.num_parameters
    for size in event_shape[len(element.event_shape) :]:
        count *= size
    return NetworkLaw(nn.Linear(inputs, count), element, event_shape=event_shape, input_shape=(inputs,))


@pytest.mark.parametrize(
    ("element", "event_shape"),
    [
        (NormalElement(), ()),
        (NormalElement(), (5,)),
        (BernoulliElement(), (1, 4, 6)),
        (CategoricalElement(7), (1, 4, 6)),
        (DiscretizedLogisticElement(LEVELS), (3, 4, 6)),
        (DiscretizedLogisticMixtureElement(LEVELS, 2, 3), (3, 4, 6)),
        (DiscretizedLogisticMixtureElement(LEVELS, 2, 1), (1, 9)),
        (DiscretizedLogisticMixtureElement(LEVELS, 2, 3), (3,)),
        (DiscretizedLogisticMixtureElement(LEVELS, 2, None), (9,)),
    ],
)
def test_any_batch_and_any_event(element, event_shape):
    network_law = law_of(element, event_shape)
    for batch in ((), (4,), (3, 2), (0,), (2, 0)):
        law = network_law(torch.randn(*batch, 2))
        assert (law.batch_shape, law.event_shape) == (torch.Size(batch), torch.Size(event_shape))
        assert law.mean.shape == torch.Size((*batch, *event_shape))
        value = torch.zeros(*batch, *event_shape) if 0 in batch else law.sample()
        assert value.shape == torch.Size((*batch, *event_shape))
        assert scored(law, value).shape == torch.Size(batch)
        if 0 not in batch:
            assert bool(law.support.check(value).all())
            assert law.log_prob(value).shape == torch.Size(batch)


def test_parameters_are_read_one_after_the_other():
    """[N, P * C, H, W]: all means before all log-scales, and of colors that depend on each other no color dimension."""
    output = torch.randn(2, 6, 4, 5)
    law = NetworkLaw(nn.Identity(), NormalElement(), event_shape=(3, 4, 5), input_shape=(6, 4, 5))(output)
    assert torch.equal(law.base_dist.loc, output[:, :3])
    assert torch.allclose(law.base_dist.scale, output[:, 3:].exp())
    element = DiscretizedLogisticMixtureElement(LEVELS, 2, 3)
    output = torch.randn(2, 20, 4, 5)
    images = NetworkLaw(nn.Identity(), element, event_shape=(3, 4, 5), input_shape=(20, 4, 5))(output)
    assert isinstance(images, ElementGrid)
    assert isinstance(images.law, DiscretizedLogisticMixture)
    assert torch.equal(images.law.logits, output[:, :2].movedim(1, -1))
    x = images.sample()
    assert torch.allclose(images.log_prob(x), element(output.movedim(1, -1)).log_prob(x.movedim(1, -1)).sum((-1, -2)))


def test_contexts_broadcast_with_the_batch():
    network_law = NetworkLaw(Joined(5, 4), NormalElement(1.0), event_shape=(4,), input_shape=(2,), context_shape=(3,))
    x, context = torch.randn(6, 5, 2), torch.randn(5, 3)
    law = network_law(x, context)
    assert law.batch_shape == (6, 5)
    for k in range(6):
        assert torch.allclose(network_law(x[k], context).mean, law.mean[k], atol=1e-6)
    assert network_law(x[0], torch.randn(6, 5, 3)).batch_shape == (6, 5)
    assert network_law(x[0, 0], context).batch_shape == (5,)
    assert network_law(x, context[0]).batch_shape == (6, 5)
    assert network_law(torch.zeros(0, 2), torch.zeros(3)).batch_shape == (0,)


def test_wrong_contexts_are_errors():
    taking = NetworkLaw(Joined(5, 4), NormalElement(1.0), event_shape=(4,), input_shape=(2,), context_shape=(3,))
    for context, message in (
        (None, r"needs a context with trailing shape \(3,\); got None"),
        (torch.zeros(5, 2), r"trailing shape \(3,\); got shape \(5, 2\)"),
        (torch.zeros(4, 3), "does not broadcast"),
    ):
        with pytest.raises(ContextError, match=message):
            taking(torch.zeros(5, 2), context)
    with pytest.raises(ContextError, match="NetworkLaw takes no context"):
        law_of(NormalElement(), (3,))(torch.zeros(5, 2), torch.zeros(5, 3))


def test_wrong_shapes_are_errors():
    network_law = law_of(NormalElement(), (3,))
    for x in (torch.zeros(5, 3), torch.zeros(())):
        with pytest.raises(ValueError, match=r"the input of NetworkLaw must end with \(2,\)"):
            network_law(x)
    short = NetworkLaw(nn.Linear(2, 5), NormalElement(), event_shape=(3,), input_shape=(2,))
    with pytest.raises(ValueError, match=r"must give 6 numbers for an event \(3,\) of NormalElement, 2 an element; got \(5,\)"):
        short(torch.zeros(4, 2))
    with pytest.raises(ValueError, match=r"`event_shape` must begin with the element's shape \(3,\); got \(1, 4\)"):
        NetworkLaw(nn.Identity(), DiscretizedLogisticMixtureElement(LEVELS), event_shape=(1, 4), input_shape=(2,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtypes_and_copies(dtype):
    network_law = law_of(NormalElement("shared"), (3, 2)).to(dtype)
    x = torch.randn(4, 2, dtype=dtype)
    law = network_law(x)
    assert law.sample().dtype == dtype
    twin = copy.deepcopy(network_law)
    twin.load_state_dict(network_law.state_dict())
    assert torch.equal(twin(x).mean, law.mean)


def test_under_autocast_laws_are_float32():
    network_law = law_of(DiscretizedLogisticElement(LEVELS), (3, 2))
    x = torch.randn(4, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert network_law.network(x).dtype == torch.bfloat16
        law = network_law(x)
        value = law.sample()
        log_prob = law.log_prob(value)
    assert (value.dtype, log_prob.dtype) == (torch.float32, torch.float32)
    assert torch.allclose(log_prob, network_law(x).log_prob(value), atol=0.1)
    log_prob.sum().backward()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in network_law.parameters())


def test_vmap_and_compile():
    network_law = law_of(NormalElement(), (3,))
    x, y = torch.randn(6, 5, 2), torch.randn(6, 5, 3)

    def score(x, y):
        return network_law(x).log_prob(y)

    expected = score(x, y)
    assert torch.allclose(torch.vmap(score)(x, y), expected, atol=1e-5)
    torch.compiler.reset()
    assert torch.allclose(torch.compile(score, backend="aot_eager", fullgraph=True)(x, y), expected, atol=1e-5)


def test_expands_and_stands_in_a_plate():
    network_law = law_of(CategoricalElement(5), (2,))

    def model(x):
        with pyro.plate("data", len(x)):
            return pyro.sample("y", network_law(x))

    assert model(torch.randn(7, 2)).shape == (7, 2)
    assert network_law(torch.randn(7, 2)).expand((3, 7)).sample().shape == (3, 7, 2)
