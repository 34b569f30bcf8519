"""What is timed: kinds of flows, sizes, operations. One place, read by the driver and by every worker."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

KINDS = ("spline coupling", "affine autoregressive", "spline autoregressive")
OPERATIONS = ("log_prob", "train", "sample")


@dataclass(frozen=True)
class FlowCase:
    """One flow: 8 one-sided coupling layers or 5 autoregressive ones, reversed between, 8 bins over [-5, 5]."""

    kind: str
    dim: int
    batch: int = 1024
    device: str = "cpu"
    bins: int = 8
    bound: float = 5.0

    @property
    def layers(self) -> int:
        return 8 if self.kind == "spline coupling" else 5

    @property
    def hidden(self) -> tuple[int, int]:
        """Two equal layers; autoregressive networks widen with the dimension."""
        width = 128 if self.kind == "spline coupling" else {16: 128, 64: 256, 256: 512}.get(self.dim, 128)
        return (width, width)

    @property
    def label(self) -> str:
        return f"{self.kind}, D = {self.dim}, batch {self.batch}"


@dataclass(frozen=True)
class StepCase:
    """One optimization step.

    "programs" is an MLP VAE (784 - hidden - latent) written as Pyro programs, "vae" the same as ``pg.vae.VAE``, with the
    importance-weighted bound of ``particles`` where there are several; "levels" is a chain of latents, four coordinates each,
    as Pyro programs; "flow" a spline coupling flow by maximum likelihood.
    """

    model: str
    hidden: int = 0
    latent: int = 0
    dim: int = 0
    batch: int = 128
    device: str = "cpu"
    particles: int = 1
    levels: int = 0

    @property
    def label(self) -> str:
        size = f"D = {self.dim}" if self.model == "flow" else f"784-{self.hidden}-{self.latent}"
        if self.model == "levels":
            size = f"{self.levels} of 4"
        return f"{self.model} {size}, " + (f"K = {self.particles}, " if self.particles > 1 else "") + f"batch {self.batch}"


STEP_CASES = (
    StepCase("programs", hidden=400, latent=20),
    StepCase("programs", hidden=32, latent=8),
    StepCase("vae", hidden=400, latent=20),
    StepCase("vae", hidden=32, latent=8),
    StepCase("vae", hidden=400, latent=20, particles=10),
    *(StepCase("levels", hidden=16, levels=levels, batch=8) for levels in (1, 5, 20)),
    StepCase("flow", dim=16, batch=512),
)


SAMPLERS = ("ddim", "ancestral", "dpm_solver", "heun", "uni_pc")


@dataclass(frozen=True)
class SamplerCase:
    """One run of a sampler in float32 with a network that does nothing (a tenth of its input), on a linear chain."""

    sampler: str
    batch: int
    channels: int
    size: int
    steps: int = 50
    device: str = "cpu"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (self.batch, self.channels, self.size, self.size)

    @property
    def label(self) -> str:
        return f"{self.sampler}, {list(self.shape)}, {self.steps} steps"


def sampler_cases(*, quick: bool, device: str) -> list[SamplerCase]:
    """All samplers on a batch of small images, and on next to nothing: the cost of a step beside the network's."""
    sizes = ((8, 2, 1),) if quick else ((64, 3, 32), (8, 2, 1))
    return [SamplerCase(name, *size, device=device) for size in sizes for name in SAMPLERS]


def flow_cases(dims: tuple[int, ...], *, quick: bool, device: str) -> list[FlowCase]:
    """All kinds at every dimension (quick: at D = 16 and a small batch)."""
    if quick:
        return [FlowCase(kind, 16, 64, device) for kind in KINDS]
    return [FlowCase(kind, dim, 1024, device) for dim in dims for kind in KINDS]


def step_cases(*, quick: bool, device: str) -> list[StepCase]:
    """The optimization steps; quick: a small one."""
    cases = STEP_CASES[1:2] if quick else STEP_CASES
    return [replace(case, device=device) for case in cases]


def to_message(case: FlowCase | StepCase | SamplerCase) -> dict[str, object]:
    """As JSON for a worker."""
    return asdict(case)


def slow_for_peers(case: FlowCase, operation: str) -> bool:
    """Sampling D coordinates in D full passes of a wide network: minutes a call, so it is left out."""
    return operation == "sample" and case.kind == "spline autoregressive" and case.dim > 64
