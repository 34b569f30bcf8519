"""Spoken digits by a WaveNet that is told digit, speaker and the time since the word began: bits per sample, sound, pictures.

PROBGEN_DATA=folder OMP_NUM_THREADS=1 python examples/speech_wavenet.py --seconds 600
python examples/speech_wavenet.py --smoke     seconds, on the 20 embedded clips

Audio at 8 kHz becomes 256 mu-law codes. The law of a clip of n samples is `Autoregressive` of `network.with_length(n)`: clips
of all lengths are scored exactly, each on its own. Training sees crops of one length (shorter clips are followed by silence);
the time since the beginning is a local context, so a crop knows where it stands. Beside it, on the same codes: a histogram,
an order-1 Markov chain, and linear predictors of order 16 with discretized logistic residuals, of exact masses.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from probgen.data import DataNotFoundError, SpokenDigits, load_spoken_digits
from probgen.demo import Measured, software
from probgen.distributions import Autoregressive, AutoregressiveLaw, DiscretizedLogistic, MuLawQuantization
from probgen.distributions.elements import CategoricalElement
from probgen.infer import Callback, MaximumLikelihood, TimeBudget, fit
from probgen.infer.training import Training
from probgen.metrics import mean_and_error
from probgen.nn import CompiledSteps, WaveNet

CODEC = MuLawQuantization()
FRAME = 64  # samples of a frame of the local context
BUMPS = 12


def load(*, smoke: bool) -> tuple[SpokenDigits, SpokenDigits, SpokenDigits]:
    """Training, validation and test clips; without the data, of the embedded ones."""
    try:
        return load_spoken_digits(full=not smoke).splits()
    except DataNotFoundError as error:
        print(error)
        return load_spoken_digits().splits()


def codes_of(clips: SpokenDigits) -> list[Tensor]:
    """The mu-law codes of each clip, without padding."""
    codes = CODEC.encode(clips.audio / 32768)
    return [row[:length] for row, length in zip(codes, clips.lengths.tolist(), strict=True)]


def clock(start: Tensor, frames: int) -> Tensor:
    """The time since the beginning, as bumps 80 ms apart, ``[n, BUMPS, frames]``."""
    seconds = (start[:, None] + FRAME * torch.arange(frames)) / 8000
    return torch.exp(-0.5 * ((seconds[:, None] - 0.08 * torch.arange(BUMPS)[:, None]) / 0.08).square())


def context_of(network: WaveNet, digit: Tensor, speaker: Tensor, start: Tensor) -> Tensor:
    """Who says what, and how long ago it began: ``[n, numbers]``."""
    told = torch.cat([nn.functional.one_hot(digit, 10), nn.functional.one_hot(speaker, 2)], -1).float()
    return network.pack_context(told, clock(start, network.frames or 1))


class Crops:
    """Endless random crops with their contexts; long clips more often."""

    def __init__(self, network: WaveNet, clips: SpokenDigits, batch: int, seed: int = 0) -> None:
        self.network, self.clips, self.batch = network, clips, batch
        self.codes = codes_of(clips)
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        length, weights = self.network.features, self.clips.lengths.double()
        silence = CODEC.encode(torch.zeros(length))
        while True:
            chosen = weights.multinomial(self.batch, replacement=True, generator=self.generator)
            room = (self.clips.lengths[chosen] - length).clamp(min=0)
            start = (torch.rand(self.batch, generator=self.generator) * (room + 1)).long()
            rows = [torch.cat([self.codes[k][s : s + length], silence])[:length] for k, s in zip(chosen, start, strict=True)]
            yield torch.stack(rows), context_of(self.network, self.clips.digit[chosen], self.clips.speaker[chosen], start)


class Record(Callback):
    """Keeps how far the training is, and the weights."""

    def __init__(self, budget: TimeBudget, network: WaveNet, out: Path) -> None:
        self.budget, self.network, self.out = budget, network, out
        self.record: list[dict[str, float]] = []

    def on_log(self, training: Training) -> None:
        """Write down how far it is."""
        last = training.history.losses[-50:]
        bits = sum(last) / len(last) / (self.network.features * math.log(2))
        self.record.append({"step": training.step, "seconds": self.budget.spent, "bits": bits})
        print("step {step}, {seconds:.0f} CPU s, {bits:.3f} bits a sample".format(**self.record[-1]), flush=True)
        (self.out / "speech_training.json").write_text(json.dumps(self.record))
        torch.save(self.network.state_dict(), self.out / "speech_wavenet.pt")


def bits_of_clips(network: WaveNet, clips: SpokenDigits) -> tuple[Tensor, Tensor]:
    """Bits of each clip under its own law, and its number of samples."""
    bits = []
    for row, digit, speaker in zip(codes_of(clips), clips.digit, clips.speaker, strict=True):
        law_network = network.with_length(len(row))
        context = context_of(law_network, digit[None], speaker[None], torch.zeros(1))
        law = Autoregressive(law_network, row.shape, CategoricalElement(CODEC.levels), context=context)
        with torch.no_grad():
            bits.append(-law.log_prob(row) / math.log(2))
    return torch.cat(bits), clips.lengths


# ------------------------------------------------------------------------------------------------------------------ baselines


def histogram(train: list[Tensor]) -> Tensor:
    """Log-probabilities of the codes, one added to every count."""
    counts = torch.cat(train).bincount(minlength=CODEC.levels) + 1.0
    return (counts / counts.sum()).log()


def markov(train: list[Tensor], weight: float) -> Tensor:
    """Log-probabilities of a code after a code: counts, and the histogram counted ``weight`` times."""
    counts = torch.zeros(CODEC.levels**2)
    for row in train:
        counts += (row[:-1] * CODEC.levels + row[1:]).bincount(minlength=CODEC.levels**2)
    counts = counts.reshape(CODEC.levels, -1) + weight * histogram(train).exp()
    return (counts / counts.sum(-1, keepdim=True)).log()


def windows(rows: list[Tensor], order: int) -> tuple[Tensor, Tensor]:
    """Companded values ``[samples]`` and the ``order`` values before each, zeros before the beginning."""
    y = [CODEC.quantization.decode(row) for row in rows]
    before = [nn.functional.pad(row, (order, 0)).unfold(0, order, 1)[:-1] for row in y]
    return torch.cat(y), torch.cat(before)


class LinearPredictor:
    """Least squares from the last values; logistic residuals, their scale constant or from the last errors.

    The scale is s(t) = exp(a + b log(eps + e(t))), where e(t) is the mean absolute error of the last 32 predictions.
    """

    def __init__(self, rows: list[Tensor], *, adaptive: bool, order: int = 16) -> None:
        self.order, self.adaptive = order, adaptive
        y, before = windows(rows, order)
        design = torch.cat([before, torch.ones(len(y), 1)], -1).double()
        self.weights = torch.linalg.lstsq(design, y.double()).solution.float()
        self.shape = torch.zeros(2, requires_grad=True)
        optimizer = torch.optim.LBFGS([self.shape], max_iter=30, line_search_fn="strong_wolfe")
        chosen = rows[:: max(1, len(rows) // 100)]

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = torch.cat([self.nats(row) for row in chosen]).mean()
            loss.backward()
            return loss

        optimizer.step(closure)

    def nats(self, row: Tensor) -> Tensor:
        """The cost of each sample of a clip: exact masses of the codes, the outer bins open."""
        y, before = windows([row], self.order)
        predicted = before @ self.weights[:-1] + self.weights[-1]
        errors = nn.functional.pad((y - predicted).abs(), (32, 0))[:-1].unfold(0, 32, 1).mean(-1)
        slope = self.shape[1] if self.adaptive else 0.0
        scale = (self.shape[0] - 3 + slope * (errors + 1e-3).log()).exp()
        return -DiscretizedLogistic(predicted, scale, CODEC.quantization).log_prob(y)


def baselines(train: list[Tensor], validation: list[Tensor]) -> dict[str, object]:
    """From a clip's codes to nats of its samples, for each baseline."""
    table = histogram(train)
    first = table

    def chain(log_probs: Tensor) -> object:
        return lambda row: -torch.cat([first[row[:1]], log_probs[row[:-1], row[1:]]])

    chains = {weight: chain(markov(train, weight)) for weight in (1.0, 10.0, 30.0, 100.0)}
    best = min(chains, key=lambda weight: float(torch.cat([chains[weight](row) for row in validation]).mean()))
    return {
        "histogram": lambda row: -table[row],
        "Markov chain": chains[best],
        "linear, order 16": LinearPredictor(train, adaptive=False).nats,
        "linear, order 16, adaptive scale": LinearPredictor(train, adaptive=True).nats,
    }


def bits_a_sample(bits: Tensor, lengths: Tensor) -> str:
    """All bits by all samples; the error is that over clips."""
    mean = bits.sum() / lengths.sum()
    error = mean_and_error((bits - mean * lengths) / lengths.float().mean()).error
    return f"{float(mean):.3f} ± {error:.3f}"


# -------------------------------------------------------------------------------------------------------------- sound, pictures


def speak(network: WaveNet, out: Path, samples: int, speakers: tuple[str, ...]) -> tuple[Tensor, float]:
    """Every digit by every speaker, drawn at once; WAV files, and seconds of the processor."""
    from scipy.io import wavfile

    digit, speaker = torch.arange(10).repeat(2), torch.arange(2).repeat_interleave(10)
    network = network.with_length(samples)
    context = context_of(network, digit, speaker, torch.zeros(20))
    begin = time.process_time()
    law = Autoregressive(CompiledSteps(network), (samples,), CategoricalElement(CODEC.levels), context=context)
    waves = CODEC.decode(law.sample())
    seconds = time.process_time() - begin
    for wave, k, who in zip(waves, digit.tolist(), speaker.tolist(), strict=True):
        name = f"speech_{speakers[who]}_{k}.wav"
        wavfile.write(out / name, 8000, (wave.clamp(-1, 1) * 32767).short().numpy())
    return waves, seconds


def spectrograms(real: list[Tensor], drawn: list[Tensor], path: Path) -> None:
    """Real clips above, drawn ones below."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(real), figsize=(2 * len(real), 4), sharex=True, sharey=True)
    for row, waves in enumerate((real, drawn)):
        for column, wave in enumerate(waves):
            axes[row, column].specgram(
                (wave + 1e-5 * torch.randn(wave.shape)).numpy(), NFFT=128, noverlap=96, Fs=8000, vmin=-120, vmax=-30
            )
            axes[row, column].set_title(f"{'real' if row == 0 else 'drawn'} {column}", fontsize=8)
    axes[1, 0].set(xlabel="s", ylabel="Hz")
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def train(network: WaveNet, clips: SpokenDigits, options: argparse.Namespace) -> tuple[int, float]:
    """Train for a time of the processor; return steps and seconds."""
    budget = TimeBudget(options.seconds, warm_up=0.02)
    law = AutoregressiveLaw(network, (network.features,), CategoricalElement(CODEC.levels))
    history = fit(
        MaximumLikelihood(law),
        Crops(network, clips, options.batch),
        lambda parameters: torch.optim.Adam(parameters, lr=options.rate, fused=True),
        steps=3 if options.smoke else 10_000_000,
        schedule=budget.schedule,
        clip_norm=network.features * math.log(2),
        callbacks=[budget, Record(budget, network, options.out)],
        log_every=50,
        progress=False,
        accelerator="cpu",
    )
    return len(history.losses), budget.spent


def parsed(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="training time of the processor")
    parser.add_argument("--rate", type=float, default=3e-3, help="largest learning rate")
    parser.add_argument("--batch", type=int, default=6, help="crops a step")
    parser.add_argument("--crop", type=int, default=2048, help="samples of a crop")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--dilations", type=int, default=9)
    parser.add_argument("--stacks", type=int, default=2)
    parser.add_argument("--score", default="test", choices=("validation", "test"), help="which clips are scored")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="three steps on the embedded clips")
    options = parser.parse_args(argv)
    if options.smoke:
        options.seconds, options.crop, options.dilations, options.channels = 60.0, 256, 3, 8
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, speak; return what was measured."""
    options = parsed(argv)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    training, validation, test = load(smoke=options.smoke)
    scored = test if options.score == "test" else validation
    network = WaveNet(
        options.crop,
        values=CODEC.levels,
        dilations=options.dilations,
        stacks=options.stacks,
        channels=options.channels,
        context_shape=(12,),
        local_shape=(BUMPS, options.crop // FRAME),
    )
    size, heard = sum(p.numel() for p in network.parameters()), network.receptive_field
    steps, seconds = train(network, training, options)
    network.eval()
    rows = [["uniform", "8.000", ""]]
    for name, nats in baselines(codes_of(training), codes_of(validation)).items():
        with torch.no_grad():
            bits = torch.stack([nats(row).sum() for row in codes_of(scored)]) / math.log(2)
        rows.append([name, bits_a_sample(bits, scored.lengths), ""])
    by_model = bits_a_sample(*bits_of_clips(network, scored))
    rows.append(["WaveNet", by_model, f"{steps} steps, {seconds:.0f} CPU s, {size:,} parameters"])
    found = Measured("Spoken digits by a WaveNet")
    found.conditions = [
        f"Two speakers, 8 kHz, 256 mu-law codes; {len(training)} clips for training, {len(scored)} {options.score} clips, each "
        f"scored whole; crops of {options.crop} samples, receptive field {heard}. {software()}.",
        options.condition,
    ]
    print(found.add("Bits a sample; ± one standard error over clips.", ["model", "bits a sample", "training"], rows))
    print(found.write(options.out / "speech_wavenet.json"), flush=True)
    waves, spent = speak(network, options.out, 200 if options.smoke else 4800, training.speakers)
    print(f"{waves.numel()} samples drawn in {spent:.1f} CPU s, compilation included")
    first = [int(((scored.digit == k) & (scored.speaker == 0)).nonzero()[0, 0]) for k in range(10) if k in scored.digit]
    real = (
        [scored.audio[k][: waves.shape[1]] / 32768 for k in first]
        if len(first) == 10 and not options.smoke
        else list(waves[:10])
    )
    try:
        spectrograms(real, list(waves[:10]), options.out / "speech_spectrograms.png")
    except ImportError as error:
        print(error)
    return found


if __name__ == "__main__":
    main()
