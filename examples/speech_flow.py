"""Spoken digits by WaveGlow: a flow told a spectrogram. Bits, sounds, spectrograms, and how fast it speaks.

PROBGEN_DATA=folder OMP_NUM_THREADS=1 python examples/speech_flow.py --seconds 600
python examples/speech_flow.py --smoke     seconds, on the 20 embedded clips

A clip at 8 kHz, 16 bits, is cut into crops whose mel spectrogram is the flow's context. All samples of a wave are drawn at
once, so speaking costs one pass. The bits are those of a wave *given its spectrogram*, of which it is partly a function: they
must not be compared with the code length of a law that is told nothing. Beside them, bits of two laws that are told nothing:
white noise, and a linear predictor of order 16 with normal residuals.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from scipy.io import wavfile
from torch import Tensor

from probgen.data import DataNotFoundError, SpokenDigits, load_spoken_digits, mel_spectrogram
from probgen.demo import Measured, software
from probgen.distributions import TransformedDistribution, TransformedLaw, standard_normal
from probgen.distributions.bijectors import Bijector
from probgen.flows import wave_glow
from probgen.infer import EMA, MaximumLikelihood, TimeBudget, fit
from probgen.metrics import mean_and_error

RATE, HOP, BANDS = 8000, 64, 40
LEVELS = 32768.0  # 16 bits: steps of 1 / 32768


def load(*, smoke: bool) -> tuple[SpokenDigits, SpokenDigits, SpokenDigits]:
    """Training, validation and test clips; without the data, of the embedded ones."""
    try:
        return load_spoken_digits(full=not smoke).splits()
    except DataNotFoundError as error:
        print(error)
        return load_spoken_digits().splits()


def spectrogram(waves: Tensor) -> Tensor:
    """What the flow is told: log-magnitudes of mel bands, about standardized, ``[*batch, BANDS, samples / HOP]``."""
    return (mel_spectrogram(waves, rate=RATE, hop=HOP, bands=BANDS) + 4.0) / 4.0


class Crops:
    """Endless random crops, each with its piece of the clip's spectrogram; noise within a step of the 16 bits."""

    def __init__(self, clips: SpokenDigits, frames: int, batch: int, seed: int = 0) -> None:
        self.frames, self.batch = frames, batch
        self.generator = torch.Generator().manual_seed(seed)
        samples = HOP * max(frames, -(-clips.audio.shape[1] // HOP))
        self.audio = torch.nn.functional.pad(clips.audio, (0, samples - clips.audio.shape[1])).float()
        self.told = spectrogram(self.audio / LEVELS)
        self.room = (clips.lengths // HOP - frames).clamp(min=0)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield self.crop(torch.randint(len(self.room), (self.batch,), generator=self.generator))

    def crop(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """A random crop of each of these clips."""
        starts = (torch.rand(len(chosen), generator=self.generator) * (self.room[chosen] + 1)).long().tolist()
        pairs = list(zip(chosen.tolist(), starts, strict=True))
        waves = torch.stack([self.audio[k, HOP * s : HOP * (s + self.frames)] for k, s in pairs])
        told = torch.stack([self.told[k, :, s : s + self.frames] for k, s in pairs])
        return (waves + torch.rand(waves.shape, generator=self.generator)) / LEVELS, told


def build(frames: int, *, smoke: bool) -> Bijector:
    """The flow for waves of this many frames; its parameters are the same for every length."""
    size = {"steps": 4, "channels": 8, "layers": 2} if smoke else {"steps": 8, "channels": 48, "layers": 6}
    return wave_glow(frames * HOP, context_shape=(BANDS, frames), **size)


def bits_a_sample(flow: Bijector, clips: SpokenDigits, frames: int, draws: int) -> tuple[Tensor, Tensor]:
    """Bits of each clip's crops (an upper bound: noise within a step), and sensible crops of every clip."""
    crops = Crops(clips, frames, 1, seed=1)
    bits = []
    with torch.no_grad():
        for index in range(len(clips)):
            waves, told = crops.crop(torch.full((draws,), index))
            nats = -TransformedDistribution(standard_normal(frames * HOP), flow.condition(told)).log_prob(waves)
            bits.append(nats.mean() / (frames * HOP * math.log(2)) + math.log2(LEVELS))
    return torch.stack(bits), crops.room


def predictor_bits(train: SpokenDigits, test: SpokenDigits, order: int) -> Tensor:
    """Bits of each test clip by a linear predictor with normal residuals (order 0: white noise)."""

    def windows(clip: Tensor) -> tuple[Tensor, Tensor]:
        before = torch.nn.functional.pad(clip, (order, 0)).unfold(0, order, 1)[:-1] if order else clip.new_zeros(len(clip), 0)
        return torch.cat([before, torch.ones(len(clip), 1)], -1).double(), clip.double()

    def rows(clips: SpokenDigits) -> list[Tensor]:
        noise = torch.Generator().manual_seed(2)
        pairs = zip(clips.audio, clips.lengths, strict=True)
        return [(row[:n] + torch.rand(int(n), generator=noise)) / LEVELS for row, n in pairs]

    designs, targets = zip(*(windows(row) for row in rows(train)), strict=True)
    weights = torch.linalg.lstsq(torch.cat(designs), torch.cat(targets)).solution
    scale = (torch.cat(targets) - torch.cat(designs) @ weights).std()
    bits = []
    for row in rows(test):
        design, target = windows(row)
        nats = -torch.distributions.Normal(design @ weights, scale).log_prob(target)
        bits.append(nats.mean() / math.log(2) + math.log2(LEVELS))
    return torch.stack(bits)


@torch.no_grad()
def speak(flow: Bijector, clip: Tensor, temperature: float, *, smoke: bool) -> tuple[Tensor, float]:
    """A wave drawn for the spectrogram of a clip, and the seconds of processor time that it took."""
    frames = len(clip) // HOP
    longer = build(frames, smoke=smoke)
    longer.load_state_dict(flow.state_dict())
    told = spectrogram(clip)[:, :frames]
    noise = temperature * torch.randn(frames * HOP, generator=torch.Generator().manual_seed(3))
    started = time.process_time()
    return longer(noise, told).clamp(-1, 1), time.process_time() - started


@torch.no_grad()
def reconstruct(flow: Bijector, clip: Tensor, *, smoke: bool) -> Tensor:
    """A clip through the flow to the latent and back."""
    frames = len(clip) // HOP
    longer = build(frames, smoke=smoke)
    longer.load_state_dict(flow.state_dict())
    wave, told = clip[: frames * HOP], spectrogram(clip)[:, :frames]
    return longer(longer.inverse(wave, told), told)


def distance(made: Tensor, clip: Tensor) -> Tensor:
    """Root mean square difference of two log-mel spectrograms, in decibels."""
    difference = 4.0 * (spectrogram(made) - spectrogram(clip[: made.shape[-1]]))
    return 20.0 / math.log(10.0) * difference.square().mean().sqrt()


def loud_noise(clip: Tensor) -> Tensor:
    """White noise with the loudness of the clip, frame by frame: what the distance is of a draw that only follows that."""
    frames = len(clip) // HOP
    loudness = clip[: frames * HOP].reshape(frames, HOP).square().mean(1, keepdim=True).sqrt()
    return (loudness * torch.randn(frames, HOP, generator=torch.Generator().manual_seed(5))).flatten()


def draw(out: Path, pictures: dict[str, Tensor]) -> None:
    """The spectrograms, one under the other."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(pictures), 1, figsize=(7, 1.6 * len(pictures)), sharex=True, layout="constrained")
    for axis, (name, wave) in zip(axes, pictures.items(), strict=True):
        extent = (0.0, wave.shape[-1] / RATE, 0.0, float(BANDS))
        axis.imshow(spectrogram(wave).numpy(), origin="lower", aspect="auto", extent=extent, vmin=-1.9, vmax=1.2)
        axis.set_ylabel("mel band")
        axis.set_title(name, fontsize=9)
    axes[-1].set_xlabel("seconds")
    figure.savefig(out / "speech_flow.png", dpi=110)


def main() -> None:
    """Train, score, speak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few seconds on the embedded clips")
    parser.add_argument("--seconds", type=float, default=600.0, help="processor time of the training")
    parser.add_argument("--frames", type=int, default=16, help=f"frames of a crop, {HOP} samples each")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-3, help="largest learning rate")
    parser.add_argument("--clip", type=float, default=100.0, help="largest norm of a gradient, in nats a wave")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--out", type=Path, default=Path("speech_flow"))
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.seconds, arguments.frames = 3.0, 8
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    train, _, test = load(smoke=arguments.smoke)

    flow = build(arguments.frames, smoke=arguments.smoke)
    flow.initialize_from(*next(iter(Crops(train, arguments.frames, 64, seed=4))))
    law = TransformedLaw(standard_normal(arguments.frames * HOP), flow)
    budget, average = TimeBudget(arguments.seconds), EMA(flow, 0.998)
    history = fit(
        MaximumLikelihood(law),
        Crops(train, arguments.frames, arguments.batch),
        lambda parameters: torch.optim.Adam(parameters, lr=arguments.rate, fused=True),
        steps=2 if arguments.smoke else 10_000_000,
        schedule=budget.schedule,
        clip_norm=arguments.clip,
        ema=average,
        callbacks=[budget],
        progress=False,
    )
    average.copy_to_module()
    flow.eval()
    torch.save(flow.state_dict(), arguments.out / "speech_flow.pt")

    bits, _ = bits_a_sample(flow, test, arguments.frames, draws=4)
    clips = [row[:n] / LEVELS for row, n in zip(test.audio, test.lengths, strict=True)][:: max(1, len(test) // 10)]
    drawn = {t: [speak(flow, clip, t, smoke=arguments.smoke) for clip in clips] for t in (0.6, 1.0)}
    rates = [len(wave) / seconds for wave, seconds in drawn[0.6]]
    told_nothing = {name: predictor_bits(train, test, order) for name, order in (("white noise", 0), ("predictor", 16))}
    measured = Measured(
        f"Spoken digits by WaveGlow, {arguments.seconds / 60:.0f} minutes of one core",
        [
            f"Two speakers, 8 kHz, 16 bits; {len(train)} clips for training, {len(test)} test clips; crops of "
            f"{arguments.frames * HOP} samples, spectrograms of {BANDS} mel bands every {HOP} samples. {software()}.",
            arguments.condition,
        ],
    )
    parameters = sum(parameter.numel() for parameter in flow.parameters())
    training = f"{len(history.losses)} steps, {budget.spent:.0f} CPU s, {parameters:,} parameters"
    rows = [[name, "nothing", str(mean_and_error(found)), ""] for name, found in told_nothing.items()]
    rows.append(["WaveGlow", "the spectrogram", str(mean_and_error(bits)), training])
    caption = (
        "Bits a sample of 16 bits; ± one standard error over clips. Given the spectrogram they are no code length of the sound."
    )
    print(measured.add(caption, ["law", "told", "bits a sample", "training"], rows))
    distances = {f"WaveGlow, temperature {t}": [wave for wave, _ in pairs] for t, pairs in drawn.items()}
    distances["white noise as loud"] = [loud_noise(clip) for clip in clips]
    rows = [
        [name, f"{float(torch.stack([distance(w, c) for w, c in zip(waves, clips, strict=True)]).mean()):.1f}"]
        for name, waves in distances.items()
    ]
    caption = f"Distance of the log-mel spectrogram of draws from the one that was told, decibels, {len(clips)} test clips."
    print(measured.add(caption, ["draws", "dB"], rows))
    back = reconstruct(flow, clips[0], smoke=arguments.smoke)
    error = float((back - clips[0][: len(back)]).abs().max())
    rows = [[f"{sorted(rates)[len(rates) // 2]:,.0f}", f"{sorted(rates)[len(rates) // 2] / RATE:.1f}", f"{error:.1e}"]]
    caption = "Drawing a clip, processor time of one thread; and the largest error of a recorded clip to the latent and back."
    print(measured.add(caption, ["samples a second", "seconds of sound a second", "there and back"], rows))
    measured.write(arguments.out / "flows_speech.json")
    for index, (clip, (wave, _)) in enumerate(zip(clips, drawn[0.6], strict=True)):
        wavfile.write(arguments.out / f"clip{index}_recorded.wav", RATE, clip.numpy())
        wavfile.write(arguments.out / f"clip{index}_drawn.wav", RATE, wave.numpy())
    draw(
        arguments.out,
        {
            "recorded": clips[0],
            "to the latent and back": back,
            "drawn for its spectrogram, temperature 0.6": drawn[0.6][0][0],
            "temperature 1": drawn[1.0][0][0],
        },
    )


if __name__ == "__main__":
    main()
