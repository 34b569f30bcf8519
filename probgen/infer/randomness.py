"""The states of all random number generators that a training run may use, as plain data."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

__all__ = ["random_state", "restore_random_state"]


def random_state() -> dict[str, Any]:
    """Return the states of torch's, Python's and NumPy's global generators.

    Example:
        >>> import torch
        >>> from probgen.infer.randomness import random_state, restore_random_state
        >>> state = random_state()
        >>> a = torch.rand(())
        >>> restore_random_state(state)
        >>> bool(torch.rand(()) == a)
        True
    """
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_random_state(state: dict[str, Any]) -> None:
    """Set the generators to what :func:`random_state` returned.

    Args:
        state: That dictionary, possibly after a round trip through a file.

    Example:
        >>> import random
        >>> from probgen.infer.randomness import random_state, restore_random_state
        >>> state = random_state()
        >>> a = random.random()
        >>> restore_random_state(state)
        >>> random.random() == a
        True
    """
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])
