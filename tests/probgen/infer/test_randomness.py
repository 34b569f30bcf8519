"""States of the random generators."""

import random

import numpy
import torch

from probgen.infer.randomness import random_state, restore_random_state
from probgen.infer.storage import read_tree, write_tree


def draws():
    return torch.rand(()).item(), random.random(), numpy.random.rand()  # noqa: NPY002


def test_all_generators_come_back_from_a_file(tmp_path):
    write_tree(tmp_path / "a", random_state())
    first = draws()
    assert draws() != first
    restore_random_state(read_tree(tmp_path / "a"))
    assert draws() == first
