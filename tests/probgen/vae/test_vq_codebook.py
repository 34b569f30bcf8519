"""Codebooks: nearest vectors, running K-means, restarts, counts of use."""

import math

import numpy as np
import pytest
import torch
import torch.distributed

from probgen.vae import Codebook, perplexity_of


def clouds(count=60):
    """Three separated clouds, and their means."""
    centers = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]], dtype=torch.float64)
    z = centers.repeat_interleave(count, 0) + torch.randn(3 * count, 2, dtype=torch.float64)
    return z, z.reshape(3, count, 2).mean(1)


def lloyd(z, vectors, steps):
    """K-means in NumPy."""
    z, vectors = z.numpy(), vectors.numpy().copy()
    for _ in range(steps):
        nearest = ((z[:, None] - vectors) ** 2).sum(-1).argmin(1)
        for j in range(len(vectors)):
            if (nearest == j).any():
                vectors[j] = z[nearest == j].mean(0)
    return vectors


def test_codes_are_the_nearest_vectors():
    book = Codebook(7, 3).double()
    z = torch.randn(4, 5, 3, dtype=torch.float64)
    assert torch.equal(book.codes(z), torch.cdist(z, book.vectors.expand(4, 7, 3)).argmin(-1))
    assert torch.equal(book(book.codes(z))[2, 1], book.vectors[book.codes(z)[2, 1]])


def test_the_means_of_the_clouds_are_a_fixed_point():
    z, means = clouds()
    book = Codebook(3, 2, decay=0.0).double()
    book.vectors.copy_(means)
    book.update(z, book.codes(z))
    torch.testing.assert_close(book.vectors, means, rtol=0, atol=1e-12)


def test_updates_without_memory_are_lloyds_algorithm():
    z, _ = clouds()
    book = Codebook(5, 2, decay=0.0).double()
    book.initialize(z)
    start = book.vectors.clone()
    for step in (1, 2, 3):
        book.update(z, book.codes(z))
        np.testing.assert_allclose(book.vectors.numpy(), lloyd(z, start, step), atol=1e-10)


def test_moving_averages_are_the_recursion():
    book = Codebook(2, 1, decay=0.9).double()
    book.vectors.copy_(torch.tensor([[-1.0], [1.0]]))
    book.sums.copy_(book.vectors)
    book.update(torch.tensor([[-2.0], [-4.0], [3.0]], dtype=torch.float64), torch.tensor([0, 0, 1]))
    assert book.counts.tolist() == pytest.approx([0.9 + 0.1 * 2, 1.0])
    assert book.sums.flatten().tolist() == pytest.approx([-0.9 - 0.6, 0.9 + 0.3])
    assert book.vectors.flatten().tolist() == pytest.approx([-1.5 / 1.1, 1.2])


def test_a_code_without_members_stays_or_restarts():
    z = torch.zeros(50, 2, dtype=torch.float64) + torch.tensor([1.0, 2.0])
    for threshold in (0.0, 0.5):
        book = Codebook(2, 2, decay=0.5, restart_below=threshold).double()
        book.vectors.copy_(torch.tensor([[1.0, 1.0], [9.0, 9.0]]))
        book.sums.copy_(book.vectors)
        for _ in range(3):
            book.update(z, torch.zeros(50, dtype=torch.long))
        expected = [9.0, 9.0] if threshold == 0.0 else [1.0, 2.0]
        assert book.vectors[1].tolist() == pytest.approx(expected)
    book = Codebook(2, 1, decay=0.0).double()
    before = book.vectors.clone()
    book.update(torch.zeros(0, 1, dtype=torch.float64), torch.zeros(0, dtype=torch.long))  # an empty batch
    assert torch.equal(book.vectors, before)


def test_initialization_takes_different_data_where_it_can():
    z = torch.arange(5.0)[:, None]
    book = Codebook(4, 1)
    book.initialize(z)
    assert len(book.vectors.unique()) == 4
    wide = Codebook(12, 1)
    wide.initialize(z)
    assert set(wide.vectors.flatten().tolist()) == set(range(5))
    with pytest.raises(ValueError, match="at least one vector"):
        book.initialize(z[:0])


def test_perplexity_is_the_number_of_codes_used_evenly():
    assert perplexity_of(torch.full((9,), 4)) == pytest.approx(9.0)
    assert perplexity_of(torch.tensor([5, 0, 0])) == pytest.approx(1.0)
    p = torch.tensor([0.5, 0.25, 0.25])
    assert perplexity_of(100 * p).item() == pytest.approx(math.exp(-sum(q * math.log(q) for q in p.tolist())))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_codes": 0, "code_size": 2}, "must be positive; got 0 and 2"),
        ({"num_codes": 2, "code_size": 2, "decay": 1.0}, "`decay` must lie in"),
        ({"num_codes": 2, "code_size": 2, "restart_below": -1.0}, "`restart_below` must not be negative"),
    ],
)
def test_rejects_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Codebook(**arguments)


@pytest.mark.slow
def test_processes_share_counts_and_restarts(tmp_path):
    """Two processes with half of a batch each have the codebook of one with the whole batch."""
    torch.manual_seed(1)
    z = torch.randn(40, 2, dtype=torch.float64)
    alone = Codebook(4, 2, decay=0.7, generator=torch.Generator().manual_seed(0)).double()
    codes = alone.codes(z)
    alone.update(z, codes)
    context = torch.multiprocessing.get_context("spawn")
    workers = [context.Process(target=_worker, args=(rank, str(tmp_path), z)) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    torch.testing.assert_close(found[0], alone.vectors)
    assert torch.equal(found[0], found[1])


def _worker(rank, folder, z):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    book = Codebook(4, 2, decay=0.7, generator=torch.Generator().manual_seed(0)).double()
    part = z[rank::2]
    book.update(part, book.codes(part))
    torch.save(book.vectors, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_low_precision_around_it_costs_no_digits():
    """Under autocast the products would have 8 bits: vectors near 30 would be told apart to 0.1 only."""
    torch.manual_seed(0)
    books = [Codebook(50, 4, decay=0.5, generator=torch.Generator().manual_seed(1)) for _ in range(2)]
    z = 30.0 + torch.randn(400, 4)
    for book, enabled in zip(books, (False, True), strict=True):
        torch.manual_seed(2)
        book.initialize(z)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            book.update(z, book.codes(z))
    assert torch.equal(books[0].codes(z), books[1].codes(z))
    torch.testing.assert_close(books[0].vectors, books[1].vectors)
