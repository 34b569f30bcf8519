"""What every generator and every critic obeys."""

import copy
import pickle

import pytest
import torch

from probgen.distributions import ImplicitLaw, standard_normal
from probgen.distributions._checks import ContextError
from probgen.distributions.testing import current_profile
from probgen.nn.adversarial import GrowingNetwork
from tests.probgen.nn.adversarial.networks import CRITICS, GENERATORS

CASES = {f"generator: {name}": case for name, case in GENERATORS.items()}
CASES |= {f"critic: {name}": case for name, case in CRITICS.items()}
EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@EVERY
def test_shapes_and_gradients(case):
    """Outputs ``[n, ...]``; every parameter gets a gradient."""
    network = case.built()
    for stage in range(network.stages if isinstance(network, GrowingNetwork) else 1):
        if isinstance(network, GrowingNetwork):
            network.grow(stage, 0.5)
        outputs = network(*case.example())
        assert outputs.shape == (3, *case.outputs)
        (outputs * torch.randn_like(outputs)).sum().backward()
    idle = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.abs().max() > 1e-7]
    assert not idle
    assert all(value.grad.isfinite().all() for value in network.parameters())


@EVERY
@pytest.mark.parametrize("mode", ["training", "evaluation"])
def test_examples_of_a_batch_are_independent_where_promised(case, mode):
    network = case.built().double().train(mode == "training")
    inputs = case.example(dtype=torch.float64)
    changed = [value.clone() for value in inputs]
    for value in changed:
        value[1] = value[2] + (0.3 if value.is_floating_point() else 0)
    before = copy.deepcopy(network)(*inputs)
    after = copy.deepcopy(network)(*changed)
    others = (before - after)[[0, 2]].abs().max()
    assert (before - after)[1].abs().max() > 1e-6
    deviation = getattr(network, "deviation", None) is not None
    if case.independent or (mode == "evaluation" and not deviation):
        assert others < 1e-12
    else:
        assert others > 1e-9  # the warning in the docstring is true


@EVERY
def test_empty_batches(case):
    network = case.built()
    for mode in (True, False):
        state = {name: value.clone() for name, value in network.state_dict().items() if "running" in name}
        outputs = network.train(mode)(*case.example(0))
        assert outputs.shape == (0, *case.outputs)
        assert all(torch.equal(network.state_dict()[name], value) for name, value in state.items())


@EVERY
def test_copies_and_dtypes(case):
    network = case.built().eval()
    inputs = case.example()
    outputs = network(*inputs)
    torch.testing.assert_close(copy.deepcopy(network)(*inputs), outputs, rtol=0, atol=0)
    fresh = case.make().eval()
    fresh.load_state_dict(network.state_dict())
    torch.testing.assert_close(fresh(*inputs), outputs, rtol=0, atol=0)
    if not any("parametrizations" in name for name, _ in network.named_parameters()):
        torch.testing.assert_close(pickle.loads(pickle.dumps(network))(*inputs), outputs, rtol=0, atol=0)
    double = copy.deepcopy(network).double()(*[value.double() if value.is_floating_point() else value for value in inputs])
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), outputs, rtol=1e-4, atol=1e-5)


@EVERY
def test_contexts_and_shapes_are_checked(case):
    network = case.built()
    x, *context = case.example()
    with pytest.raises(ValueError, match=r"must be \[N, .*\]; got"):
        network(torch.zeros(3, *case.inputs[:-1], case.inputs[-1] + 1), *context)
    if not context:
        with pytest.raises(ContextError, match="takes no context"):
            network(x, torch.zeros(3))
    elif "Translator" in type(network).__name__:
        with pytest.raises(ValueError, match="`context` of ResidualTranslator must be"):
            network(x, context[0][..., :-1])
    else:
        with pytest.raises(ContextError, match="needs a context"):
            network(x)
        with pytest.raises(ContextError):
            network(x, torch.zeros(3, 7, 7))
        network.eval()
        one = context[0][:1]
        torch.testing.assert_close(network(x, one[0]), network(x, one), rtol=0, atol=0)  # it broadcasts


@pytest.mark.parametrize("case", CRITICS.values(), ids=CRITICS)
def test_critics_have_second_derivatives(case):
    """What a gradient penalty needs, also through attention; no output depends on whether it is asked for."""
    critic = case.built().eval()
    x, *context = case.example()
    x.requires_grad_()
    outputs = critic(x, *context)
    torch.testing.assert_close(critic(x.detach(), *context), outputs, rtol=1e-4, atol=1e-5)
    slope = torch.autograd.grad(outputs.sum(), x, create_graph=True)[0]
    (slope.flatten(1).norm(dim=1) - 1).square().sum().backward()
    assert sum(value.grad is not None for value in critic.parameters()) > 1
    assert all(value.grad is None or value.grad.isfinite().all() for value in critic.parameters())


@pytest.mark.parametrize("case", GENERATORS.values(), ids=GENERATORS)
def test_generators_make_implicit_laws(case):
    network = case.built()
    (_, *context) = case.example(4)
    shape = None if not context else tuple(context[0].shape[1:])
    assert network.context_shape == shape
    law = ImplicitLaw(standard_normal(case.inputs[0]), network, case.outputs, context_shape=shape)
    draws = law(*context).rsample((2,) if context else (2, 4))
    assert draws.shape == (2, 4, *case.outputs)
    assert draws.requires_grad
    if case.inputs[0]:
        network.eval()
        first, second = law(*context).sample((2,) if context else (2, 4))
        assert ((first - second).flatten(1).abs().amax(1) > 1e-4).all()  # the noise acts, for every context


@pytest.mark.skipif(current_profile().name != "long", reason="dynamo takes seconds for each network: in the long profile")
@pytest.mark.parametrize(
    "name", ["critic: maxout, vectors", "critic: residual, sagan", "generator: residual, sagan", "generator: progressive"]
)
def test_compiled(name):
    """One graph, without a break."""
    case = CASES[name]
    network, inputs = case.built().eval(), case.example()
    validate = torch.distributions.Distribution._validate_args
    try:
        compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
        torch.testing.assert_close(compiled(*inputs), network(*inputs), rtol=1e-4, atol=1e-5)
    finally:
        torch.distributions.Distribution.set_default_validate_args(validate)
        torch._dynamo.reset()
