"""What all elements share: shapes, precision, batches of any kind, transforms, copies."""

import copy
import pickle

import pytest
import torch

from probgen.distributions import Quantization
from probgen.distributions.elements import (
    BernoulliElement,
    CategoricalElement,
    ContinuousBernoulliElement,
    DiscretizedLogisticElement,
    DiscretizedLogisticMixtureElement,
    DiscretizedNormalElement,
    Element,
    NormalElement,
    TemperedElement,
    TopKElement,
)
from probgen.distributions.testing.statistics import chi_square_test, dkwm_test

LEVELS = Quantization(8, -1.0, 1.0)
ELEMENTS = {
    "normal": NormalElement,
    "normal shared": lambda: NormalElement("shared"),
    "normal fixed": lambda: NormalElement(0.3),
    "bernoulli": BernoulliElement,
    "continuous bernoulli": ContinuousBernoulliElement,
    "categorical": lambda: CategoricalElement(5),
    "categorical levels": lambda: CategoricalElement(LEVELS),
    "discretized normal": lambda: DiscretizedNormalElement(LEVELS),
    "discretized logistic": lambda: DiscretizedLogisticElement(LEVELS, "shared"),
    "mixture": lambda: DiscretizedLogisticMixtureElement(LEVELS, 3, 3),
    "gray mixture": lambda: DiscretizedLogisticMixtureElement(LEVELS, 3, 1),
    "scalar mixture": lambda: DiscretizedLogisticMixtureElement(LEVELS, 3, None),
}


@pytest.fixture(params=ELEMENTS)
def element(request):
    torch.manual_seed(0)
    return ELEMENTS[request.param]()


def draw(law):
    return law.sample() if law.batch_shape.numel() else torch.zeros(law.batch_shape + law.event_shape)


def test_a_law_for_each_row_of_parameters(element):
    for batch in ((), (4,), (2, 3, 4)):
        law = element(torch.randn(*batch, element.num_parameters))
        assert (law.batch_shape, law.event_shape) == (torch.Size(batch), torch.Size(element.event_shape))
        assert law.log_prob(law.sample()).shape == torch.Size(batch)
        assert law.mean.shape == law.sample().shape  # what pictures of a decoder show
        assert law.support.check(law.sample()).all()


def test_every_parameter_matters(element):
    parameters = (0.5 * torch.randn(20, element.num_parameters)).requires_grad_()
    law = element(parameters)
    (grad,) = torch.autograd.grad(law.log_prob(law.sample()).sum(), parameters)
    assert bool((grad != 0).any(0).all())


def test_empty_batches(element):
    for batch in ((0,), (3, 0)):
        law = element(torch.zeros(*batch, element.num_parameters))
        assert law.log_prob(draw(law)).shape == torch.Size(batch)
        assert law.mean.shape == torch.Size((*batch, *element.event_shape))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_half_precision_becomes_float32(element, dtype):
    parameters = torch.randn(6, element.num_parameters).to(dtype).requires_grad_()
    law = element(parameters)
    log_prob = law.log_prob(law.sample())
    assert log_prob.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.autograd.grad(log_prob.sum(), parameters)[0].dtype == dtype


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_a_draw_is_what_the_law_would_draw(element, dtype):
    for batch in ((), (4,), (2, 3), (0,)):
        parameters = torch.randn(*batch, element.num_parameters).to(dtype).requires_grad_()
        law, found = element(parameters), element.draw(parameters)
        assert (found.shape, found.requires_grad) == (torch.Size((*batch, *element.event_shape)), False)
        assert not found.numel() or found.dtype == law.sample().dtype
        assert not found.numel() or bool(law.support.check(found).all())


FINITE = {name: make for name, make in ELEMENTS.items() if not name.startswith(("normal", "continuous"))}
FINITE["truncated"] = lambda: TopKElement(CategoricalElement(5), 2)
FINITE["tempered"] = lambda: TemperedElement(DiscretizedLogisticElement(LEVELS, "shared"), 0.5)


@pytest.mark.statistical(false_alarm=1e-9)
@pytest.mark.parametrize("name", FINITE)
def test_draws_of_a_finite_element_have_its_masses(name):
    """Chi-square of 40 000 draws over all values, 512 at most: a total variation of 0.06 is found with near certainty.

    A draw must be one of the values listed, and one of mass zero is a failure at once.
    """
    torch.manual_seed(0)
    element = FINITE[name]()
    parameters = torch.randn(element.num_parameters)
    law = element(parameters)
    values = law.enumerate_support() if law.has_enumerate_support else LEVELS.centers()
    found = element.draw(parameters.expand(40_000, -1)).reshape(40_000, -1)
    same = torch.stack([(found - value).abs().amax(1) < 1e-3 for value in values.reshape(len(values), -1)])
    assert (same.sum(0) == 1).all()
    assert chi_square_test(same.sum(1), law.log_prob(values).exp(), 1e-9 / len(FINITE)).passed


@pytest.mark.statistical(false_alarm=1e-9)
@pytest.mark.parametrize("name", ["normal", "continuous bernoulli"])
def test_draws_of_a_real_element_have_its_distribution_function(name):
    """20 000 draws against the distribution function: a distance of 0.05 is found."""
    torch.manual_seed(0)
    element = ELEMENTS[name]()
    parameters = torch.randn(element.num_parameters)
    assert dkwm_test(element.draw(parameters.expand(20_000, -1)), element(parameters).cdf, 5e-10).passed


def test_vmap(element):
    parameters = torch.randn(3, 4, element.num_parameters)
    x = element(parameters).sample()
    expected = element(parameters).log_prob(x)
    mapped = torch.vmap(lambda parameters, x: element(parameters).log_prob(x))(parameters, x)
    assert torch.allclose(mapped, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["normal", "categorical levels"])
def test_compiles(name):
    element = ELEMENTS[name]()
    parameters = torch.randn(4, element.num_parameters)
    x = element(parameters).sample()
    torch.compiler.reset()
    compiled = torch.compile(lambda parameters, x: element(parameters).log_prob(x), backend="aot_eager", fullgraph=True)
    assert torch.allclose(compiled(parameters, x), element(parameters).log_prob(x), atol=1e-5)


def test_copies_and_state(element):
    parameters = torch.randn(4, element.num_parameters)
    x = element(parameters).sample()
    for twin in (copy.deepcopy(element), pickle.loads(pickle.dumps(element))):
        twin.load_state_dict(element.state_dict())
        assert torch.equal(twin(parameters).log_prob(x), element(parameters).log_prob(x))


def test_a_wrong_number_of_parameters_is_an_error(element):
    with pytest.raises(ValueError, match=rf"`parameters` of {type(element).__name__} must end with {element.num_parameters} "):
        element(torch.zeros(4, element.num_parameters + 1))
    with pytest.raises(ValueError, match="`parameters`"):
        element.draw(torch.zeros(4, element.num_parameters + 1))
    with pytest.raises(ValueError, match=r"got shape \(\)"):
        element(torch.zeros(()))


def test_an_element_of_ones_own_says_only_its_law():
    class Exponential(Element):
        """Waiting times."""

        num_parameters = 1

        def _law(self, parameters):
            return torch.distributions.Exponential(parameters.squeeze(-1).exp())

    assert float(Exponential()(torch.zeros(1)).mean) == 1.0
    assert Exponential().draw(torch.zeros(5, 1)).shape == (5,)
    with pytest.raises(NotImplementedError, match="Silent does not define `_law`"):
        type("Silent", (Element,), {"num_parameters": 1})()(torch.zeros(1))
