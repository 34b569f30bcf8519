"""Batches cover every epoch once, and a resumed run sees what it would have seen."""

import pytest
import torch

from probgen.data import Batches


def _noisy(batch, generator):
    return batch + torch.rand(batch.shape, generator=generator)


def _make(**options):
    return Batches(torch.arange(23.0), 5, seed=4, transform=_noisy, **options)


def test_an_epoch_is_a_permutation_and_epochs_differ():
    batches = Batches(torch.arange(23), 5, seed=4)
    first, second = torch.cat(list(batches)), torch.cat(list(batches))
    assert sorted(first.tolist()) == list(range(23))
    assert sorted(second.tolist()) == list(range(23))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("stop", [0, 1, 4, 5, 7])
def test_resume_continues_at_the_exact_batch_with_the_same_noise(stop):
    def stream(batches, count):
        out = []
        while len(out) < count:
            for batch in batches:
                out.append(batch)
                if len(out) == count:
                    break
        return out

    whole = stream(_make(), 12)
    interrupted = _make()
    head = stream(interrupted, stop)
    state = interrupted.state_dict()
    torch.rand(3)  # the global generator plays no role
    fresh = _make()
    fresh.load_state_dict(state)
    tail = stream(fresh, 12 - stop)
    assert all(torch.equal(a, b) for a, b in zip(whole, head + tail, strict=True))


def test_forms():
    x, y = torch.arange(6), torch.arange(6) * 10
    pair = next(iter(Batches((x, y), 4)))
    assert isinstance(pair, tuple)
    assert torch.equal(pair[0] * 10, pair[1])
    named = next(iter(Batches({"x": x, "y": y}, 4)))
    assert torch.equal(named["x"] * 10, named["y"])


def test_length():
    assert len(Batches(torch.zeros(23), 5)) == 5
    dropped = Batches(torch.zeros(23), 5, drop_last=True)
    assert [len(batch) for batch in dropped] == [5] * 4 == [5] * len(dropped)
    assert list(Batches(torch.zeros(0), 5)) == []


def test_errors():
    with pytest.raises(ValueError, match=r"same number of rows; got \[2, 3\]"):
        Batches((torch.zeros(2), torch.zeros(3)), 1)
    with pytest.raises(ValueError, match="batch_size"):
        Batches(torch.zeros(2), 0)
    with pytest.raises(ValueError, match="must hold epoch"):
        Batches(torch.zeros(2), 1).load_state_dict({"epoch": 1})
