"""A law as a program of many sites: the same log-probability, and exact enumeration."""

import pyro
import pytest
import torch
from pyro import poutine
from pyro.infer import Predictive, TraceEnum_ELBO, config_enumerate, infer_discrete

from probgen.distributions import Autoregressive
from probgen.distributions.autoregressive import SiteProgram
from probgen.distributions.elements import NormalElement
from tests.distributions.autoregressive.examples import Walk, binary, codes, two_levels


@pytest.mark.parametrize("make", [binary, two_levels, codes])
def test_the_trace_has_the_log_probability_of_the_law(make):
    p = make()
    program = p.as_sites()
    trace = poutine.trace(program).get_trace()
    x = trace.nodes["_RETURN"]["value"]
    assert len(program.names) == p.positions.number
    torch.testing.assert_close(torch.as_tensor(trace.log_prob_sum()), p.log_prob(x), atol=1e-12, rtol=0)
    assert torch.equal(program.event(program.data(x)), x)
    fixed = poutine.trace(pyro.condition(program, data=program.data(x))).get_trace()
    assert torch.equal(fixed.nodes["_RETURN"]["value"], x)


def test_enumeration_sums_out_what_is_not_observed():
    p = codes()
    x, states = p.sample(), p.enumerate_support()
    seen = {"x_1": x[1], "x_3": x[3]}
    program = config_enumerate(pyro.condition(p.as_sites(), data=seen))
    joint = p.log_prob(states)
    fits = (states[:, 1] == x[1]) & (states[:, 3] == x[3])
    loss = TraceEnum_ELBO(max_plate_nesting=0).differentiable_loss(program, lambda: None)
    torch.testing.assert_close(-loss, joint[fits].logsumexp(0), atol=1e-10, rtol=0)
    weight = p.network.layers[0].weight
    found, wanted = (torch.autograd.grad(value, weight)[0] for value in (-loss, joint[fits].logsumexp(0)))
    torch.testing.assert_close(found, wanted, atol=1e-10, rtol=0)
    best = infer_discrete(program, first_available_dim=-1, temperature=0)()
    assert torch.equal(best, states[fits][joint[fits].argmax()])


def test_binary_images_by_enumeration():
    p = binary()
    program = config_enumerate(pyro.condition(p.as_sites(), data={"x_2_2": torch.tensor(1.0, dtype=torch.float64)}))
    states = p.enumerate_support()
    wanted = p.log_prob(states)[states[:, 2, 2] == 1].logsumexp(0).detach()
    found = -TraceEnum_ELBO(max_plate_nesting=0).loss(program, lambda: None)
    assert found == pytest.approx(float(wanted), abs=1e-10)


def test_plates_to_the_left_and_contexts():
    p = codes()
    x, states = p.sample((5,)), p.enumerate_support()
    data = p.as_sites().data(x)
    seen = {name: data[name] for name in ("x_0", "x_2")}

    def model():
        with pyro.plate("data", 5):
            return pyro.condition(p.as_sites(), data=seen)()

    joint = p.log_prob(states)
    wanted = sum(joint[(states[:, 0] == row[0]) & (states[:, 2] == row[2])].logsumexp(0) for row in x).detach()
    found = -TraceEnum_ELBO(max_plate_nesting=1).loss(config_enumerate(model), lambda: None)
    assert found == pytest.approx(float(wanted), abs=1e-10)
    assert model().shape == (5, 4)

    q = codes(context=2).condition(torch.randn(5, 2, dtype=torch.float64))
    trace = poutine.trace(q.as_sites()).get_trace()
    trace.compute_log_prob()
    total = sum(trace.nodes[name]["log_prob"] for name in q.as_sites().names)
    torch.testing.assert_close(total, q.log_prob(trace.nodes["_RETURN"]["value"]))


def test_interventions_are_not_scored():
    p = Autoregressive(Walk(4, 0.9), (4,), NormalElement(0.1))
    done = pyro.do(p.as_sites(), data={"x_1": torch.tensor(50.0, dtype=torch.float64)})
    trace = poutine.trace(done).get_trace()
    x = trace.nodes["_RETURN"]["value"]
    assert abs(x[2] - 45) < 2  # what follows knows, what came before does not
    assert abs(x[0]) < 2
    trace.compute_log_prob()
    scores = torch.stack([trace.nodes[f"x_{k}"]["log_prob"] for k in (0, 2, 3)])
    torch.testing.assert_close(scores, p._factors(x)[[0, 2, 3]])


def test_names_and_predictive():
    p = codes()
    program = p.as_sites(lambda index: f"code {index[0]}")
    assert program.names == ["code 0", "code 1", "code 2", "code 3"]
    assert isinstance(program, SiteProgram)
    found = Predictive(program, num_samples=7)()
    assert program.event(found).shape == (7, 4)
    assert binary().as_sites("pixel").names[5] == "pixel_1_2"
    with pytest.raises(ValueError, match="some are the same"):
        p.as_sites(lambda index: "x")
