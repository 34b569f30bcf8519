"""The record of a run."""

import json

from probgen.infer import History


def test_history_is_plain_data_and_comes_back():
    history = History(losses=[2.0, 1.0], players=["a", "b"], validation=[(1, 0.5)], best=(1, 0.5), stopped=True)
    twin = History()
    twin.load_state_dict(history.state_dict())
    assert json.dumps(twin.state_dict()["losses"]) == "[2.0, 1.0]"
    assert (twin.steps, twin.of("b"), twin.best) == (2, [1.0], (1, 0.5))
    assert not twin.stopped  # a resumed run starts unstopped
