"""The plate of a batch stands for Pyro's plate: same values, same terms, same errors; it leaves alone what has its size."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine

from probgen.infer.data_plate import DataPlate, data_plate


def laws(n):
    """Laws without batch, with the batch, and with a batch of size one in the place of another plate."""
    torch.manual_seed(0)
    return [
        dist.Normal(0.0, 1.0),
        dist.Normal(torch.randn(n, 2), 1.0).to_event(1),
        dist.Normal(torch.randn(1), 1.0),
        dist.Normal(torch.randn(1, n), 1.0),
    ]


def run(plate, law, *, particles):
    def program():
        with plate():
            return pyro.sample("z", law)

    torch.manual_seed(1)
    if not particles:
        return poutine.trace(program).get_trace()
    with pyro.plate("particles", 4, dim=-2):
        return poutine.trace(program).get_trace()


@pytest.mark.parametrize("particles", [False, True])
@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("n", [1, 3])
def test_a_site_is_drawn_and_scored_as_in_pyros_plate(n, which, particles):
    law = laws(n)[which]
    found = run(lambda: DataPlate(n), law, particles=particles)
    wanted = run(lambda: pyro.plate("data", n, dim=-1), law, particles=particles)
    assert torch.equal(found.nodes["z"]["value"], wanted.nodes["z"]["value"])
    assert found.nodes["z"]["fn"].batch_shape == wanted.nodes["z"]["fn"].batch_shape
    assert found.nodes["z"]["cond_indep_stack"] == wanted.nodes["z"]["cond_indep_stack"]
    assert torch.equal(found.log_prob_sum(), wanted.log_prob_sum())


def test_a_law_of_its_size_is_not_expanded():
    law = laws(3)[1]
    assert run(lambda: DataPlate(3), law, particles=False).nodes["z"]["fn"] is law


def test_a_law_of_another_size_is_refused():
    with pytest.raises(ValueError, match="Shape mismatch inside plate"):
        run(lambda: DataPlate(3), laws(4)[1], particles=False)


def test_a_plate_inside_has_its_own_indices():
    def program():
        with DataPlate(3), pyro.plate("rows", 5, subsample_size=2, dim=-2) as rows:
            return rows, pyro.sample("z", dist.Normal(0.0, 1.0))

    rows, z = program()
    assert rows.shape == (2,)
    assert z.shape == (2, 3)


@pytest.mark.parametrize("size", [None, 7])
def test_no_data_are_a_batch_too(size):
    found = run(lambda: data_plate(torch.zeros(0, 2), size, torch.zeros(())), dist.Normal(0.0, 1.0), particles=False)
    assert found.nodes["z"]["value"].shape == (0,)
    assert found.log_prob_sum() == 0


def test_a_batch_weighs_as_much_as_the_data_set():
    x = torch.ones(5)
    found = run(lambda: data_plate(x, 10, x), dist.Normal(torch.zeros(5), 1.0), particles=False)
    assert found.nodes["z"]["scale"] == 2
    assert run(lambda: data_plate(None, 4, x), dist.Normal(0.0, 1.0), particles=False).nodes["z"]["value"].shape == (4,)
    with pytest.raises(ValueError, match="`size` must be at least the number of data, 5; got 3"):
        data_plate(x, 3, x)
