"""What a bijector around an elementwise map takes from it."""

from __future__ import annotations

import pytest
import torch

from probgen.distributions.bijectors import Affine, Coupling, DenseSigmoid, Elementwise
from probgen.distributions.bijectors._element_owner import ElementOwner


def _around(element: Elementwise) -> Coupling:
    return Coupling(element, torch.nn.Linear(1, 2 * element.num_free), mask=[True, False, False])


@pytest.mark.parametrize("element", [Affine(), DenseSigmoid(4)])
def test_it_is_as_exact_as_fast_and_as_static_as_its_element(element: Elementwise):
    whole = _around(element)
    assert isinstance(whole, ElementOwner)
    assert whole.exact_inverse == element.exact_inverse
    assert whole.fast_direction == element.fast_direction
    assert whole.static_graph == element.static_graph


def test_elements_differ_in_what_is_asked():
    assert Affine().exact_inverse
    assert not DenseSigmoid(4).exact_inverse
