"""A diffusion model as a file format: write digits losslessly, read them back at every quality, compare with the bound."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

import probgen as pg
from probgen.data import load_digits
from probgen.distributions import Quantization
from probgen.distributions.chains import DiscretizedDecoder


def main(argv: list[str] | None = None) -> float:
    """Train, write a file, read it back at several stops; return bits per dimension of the lossless file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    steps, grid, count = (60, 4, 2) if options.smoke else (8000, 10, 20)
    digits, levels = load_digits(), Quantization(17, -1.0, 1.0)
    train, test = (levels.decode(part.x.flatten(1).long()) for part in (digits.train, digits.test))

    model = pg.diffusion.Diffusion(
        pg.nn.DenoisingMLP(64, hidden=(256, 256, 256)),
        pg.diffusion.cosine_schedule(),
        event_shape=(64,),
        grid=grid,
        decoder=DiscretizedDecoder(levels),
    )
    batches = (train[torch.randint(len(train), (128,))] for _ in range(steps))
    optimizer = lambda p: torch.optim.Adam(p, lr=1e-3)  # noqa: E731
    pg.infer.fit(model.denoising_loss(), batches, optimizer, progress=not options.smoke)

    codec, x = pg.diffusion.Codec(model, calibration=train[:300], block_bits=6.0), test[:count]
    start = time.perf_counter()
    report = codec.measure(x)
    print(f"{report}; written in {time.perf_counter() - start:.1f} s")
    print("state   bound    file  bits/dim so far  rms error")
    spent = 0.0
    for state, bound, bits, error in zip(report.states, report.bound_bits, report.coded_bits, report.distortion, strict=True):
        spent += bits
        print(f"{state:5d} {bound:7.1f} {bits:7.1f} {spent / x.numel():16.3f} {error:10.3f}")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.pgdc"
        path.write_bytes(report.data)
        start = time.perf_counter()
        read = codec.decode(path.read_bytes())
        print(f"read in {time.perf_counter() - start:.1f} s; lossless: {torch.equal(read.x, x)}")
        rough = codec.decode(path.read_bytes(), stop=max(1, grid // 4))
        print(f"stopped at state {rough.state}: rms error {float((rough.x - x).square().mean().sqrt()):.3f}")
    return 8 * len(report.data) / x.numel()


if __name__ == "__main__":
    main()
