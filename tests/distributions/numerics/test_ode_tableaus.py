"""The coefficients satisfy what defines them: consistency, and the conditions of their order on every rooted tree."""

import functools
import itertools

import pytest
import torch

from probgen.distributions.numerics.ode_tableaus import Tableau, tableau_named

NAMES = ("euler", "midpoint", "heun", "rk4", "dopri5", "verner8")


@functools.cache
def trees(nodes):
    """All rooted trees with so many nodes, each a sorted tuple of its branches."""
    if nodes == 1:
        return [()]
    found = set()
    for sizes in partitions(nodes - 1):
        for branches in itertools.product(*(trees(size) for size in sizes)):
            found.add(tuple(sorted(branches)))
    return sorted(found)


def partitions(total, largest=None):
    """Ways to write a number as a sum, largest term first."""
    if total == 0:
        yield ()
        return
    for first in range(min(total, largest or total), 0, -1):
        for rest in partitions(total - first, first):
            yield (first, *rest)


def size(tree):
    return 1 + sum(size(branch) for branch in tree)


def density(tree):
    result = size(tree)
    for branch in tree:
        result *= density(branch)
    return result


def dense(tableau: Tableau):
    stages = len(tableau.weights)
    rows = [[*row, *[0.0] * (stages - len(row))] for row in tableau.matrix]
    return torch.tensor(rows, dtype=torch.float64), torch.tensor(tableau.weights, dtype=torch.float64)


def stage_values(tree, matrix):
    """The elementary weight of a tree at each stage."""
    result = torch.ones(len(matrix), dtype=torch.float64)
    for branch in tree:
        result = result * (matrix @ stage_values(branch, matrix))
    return result


def order_error(matrix, weights, order):
    """The largest violation of Butcher's conditions of one order."""
    return max(abs(float(weights @ stage_values(tree, matrix)) - 1 / density(tree)) for tree in trees(order))


def test_number_of_trees_is_known():
    assert [len(trees(n)) for n in range(1, 9)] == [1, 1, 2, 4, 9, 20, 48, 115]


@pytest.mark.parametrize("name", NAMES)
def test_conditions_of_the_order_hold_and_no_more(name):
    tableau = tableau_named(name)
    matrix, weights = dense(tableau)
    for order in range(1, tableau.order + 1):
        assert order_error(matrix, weights, order) < 1e-14
    if tableau.order < 8:
        assert order_error(matrix, weights, tableau.order + 1) > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_rows_sum_to_nodes(name):
    tableau = tableau_named(name)
    assert [sum(row) for row in tableau.matrix] == pytest.approx(list(tableau.nodes), abs=1e-13)


def test_embedded_weights_are_of_order_four():
    tableau = tableau_named("dopri5")
    matrix, weights = dense(tableau)
    matrix = torch.cat([torch.nn.functional.pad(matrix, (0, 1)), torch.tensor([[*tableau.weights, 0.0]], dtype=torch.float64)])
    embedded = torch.tensor([*tableau.weights, 0.0], dtype=torch.float64) - torch.tensor(
        tableau.error_weights, dtype=torch.float64
    )
    for order in range(1, 5):
        assert order_error(matrix, embedded, order) < 1e-14
    assert order_error(matrix, embedded, 5) > 1e-4
    assert weights.sum() == pytest.approx(1.0)


def test_unknown_method_is_named():
    with pytest.raises(ValueError, match=r"`method` must be one of \['dopri5', 'euler'.*got 'rk45'"):
        tableau_named("rk45")
