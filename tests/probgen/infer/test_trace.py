"""Running programs and keeping their sites."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine

from probgen.infer.trace import Site, run_program, scale_and_mask


def program(x):
    with pyro.plate("data", 10, subsample_size=5) as indices, poutine.mask(mask=indices >= 0):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)
    pyro.deterministic("d", z + 1)


def test_sites_are_per_datum_in_order_with_scale_apart():
    sites, indices = run_program(program, (torch.zeros(5),), {})
    assert list(sites) == ["z", "x"]
    assert isinstance(sites["x"], Site)
    assert sites["x"].log_prob().shape == (5,)
    assert (sites["x"].scale, sites["x"].observed, sites["z"].observed) == (2.0, True, False)
    torch.testing.assert_close(sites["x"].log_prob_sum(), 2.0 * sites["x"].log_prob().sum())
    again, repeated = run_program(program, (torch.zeros(5),), {}, draws={"z": sites["z"].value, **indices})
    assert again["z"].value is sites["z"].value
    assert repeated["data"] is indices["data"]


def test_block_hides_and_condition_observes():
    hidden, _ = run_program(poutine.block(program, hide=["z"]), (torch.zeros(5),), {})
    assert list(hidden) == ["x"]
    fixed, _ = run_program(poutine.condition(program, {"z": torch.ones(5)}), (torch.zeros(5),), {})
    assert fixed["z"].observed


def test_repeated_names_are_refused():
    def twice():
        pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("a", dist.Normal(0.0, 1.0))

    with pytest.raises(ValueError, match="'a' occurs twice"):
        run_program(twice, (), {})


def test_scale_and_mask_cuts_off_what_is_not_finite():
    term = torch.tensor([1.0, float("nan")], requires_grad=True)
    value = scale_and_mask(term, torch.tensor(3.0), torch.tensor([True, False]))
    assert value.tolist() == [3.0, 0.0]
    assert scale_and_mask(term, 2.0, False).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("law", [dist.Normal(0.5, 2.0), dist.Bernoulli(logits=torch.tensor([0.3, -2.0])).to_event(1)])
def test_the_negative_sum_is_minus_the_sum(law):
    sites, _ = run_program(poutine.scale(lambda: pyro.sample("x", law, obs=torch.ones(law.event_shape)), scale=3.0), (), {})
    torch.testing.assert_close(sites["x"].negative_log_prob_sum(), -3.0 * law.log_prob(torch.ones(law.event_shape)))
    torch.testing.assert_close(sites["x"].log_prob_sum(), -sites["x"].negative_log_prob_sum())


@pytest.mark.parametrize(("size", "expected"), [(None, [0, 1, 2]), (3, [0, 1, 2]), (2, None)])
def test_indices_of_plates_are_those_of_pyro(size, expected):
    def indexed():
        with pyro.plate("data", 3, subsample_size=size) as indices:
            pyro.sample("x", dist.Normal(indices.float(), 1.0))

    _, drawn = run_program(indexed, (), {})
    torch.manual_seed(0)
    by_pyro = poutine.trace(indexed).get_trace().nodes["data"]["value"]
    torch.manual_seed(0)
    _, again = run_program(indexed, (), {})
    assert again["data"].tolist() == by_pyro.tolist()
    assert expected is None or drawn["data"].tolist() == expected


def test_indices_that_a_plate_was_given_stay():
    def indexed():
        with pyro.plate("data", 9, subsample=torch.tensor([5, 7])) as indices:
            pyro.sample("x", dist.Normal(indices.float(), 1.0))

    _, indices = run_program(indexed, (), {})
    assert indices["data"].tolist() == [5, 7]
