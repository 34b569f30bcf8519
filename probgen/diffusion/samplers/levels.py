r"""The noise levels that a sampler visits, prepared once: vectors in float64 for coefficients, single levels for the network.

A sampler's coefficients depend on the schedule and the grid only. They are computed here for all steps at once, in float64, and
end as Python floats; a step then does no arithmetic on small tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.distributions.chains import Denoiser, NoiseLevel, Schedule, TimeGrid
from probgen.distributions.chains.scaling import SCALINGS

__all__ = ["Levels", "level_at_log_snr", "levels_at", "mean_coefficients_of", "separate"]


@dataclass(frozen=True)
class Levels:
    r"""The levels of a grid in the order of generation, as N steps from t to s.

    Attributes:
        t: The levels at which steps begin, float64 vectors ``[N]`` on the CPU.
        s: The levels at which they end, nearer to the data (or farther, in an inversion).

    Example:
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> import torch
        >>> from probgen.diffusion.samplers.levels import Levels
        >>> denoiser = GaussianDenoiser(linear_schedule(), torch.zeros(1), torch.tensor(1.0))
        >>> levels = Levels.of(denoiser, TimeGrid(2))
        >>> levels.t.t.tolist(), levels.s.t.tolist()
        ([1.0, 0.5], [0.5, 0.0])
    """

    t: NoiseLevel
    s: NoiseLevel

    @classmethod
    def of(cls, denoiser: Denoiser, grid: TimeGrid, *, from_data: bool = False) -> Levels:
        """Those of a denoiser's schedule.

        Args:
            denoiser: Has the schedule.
            grid: The times.
            from_data: Go from the data to the noise.
        """
        levels = levels_at(denoiser.schedule, grid.times if from_data else grid.reversed_times)
        return cls(levels[:-1], levels[1:])

    def __len__(self) -> int:
        return len(self.t.t)

    @property
    def log_snr_gain(self) -> Tensor:
        r"""The differences :math:`\lambda_s - \lambda_t`, shape ``[N]``; infinite at the data and where no signal is left."""
        return self.s.log_snr - self.t.log_snr


def levels_at(schedule: Schedule, times: Tensor) -> NoiseLevel:
    """Levels at times ``[N]``, in float64 on the CPU wherever the schedule lives.

    Args:
        schedule: The noise schedule.
        times: Times in [0, 1], shape ``[N]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import cosine_schedule
        >>> from probgen.diffusion.samplers.levels import levels_at
        >>> levels_at(cosine_schedule(), torch.tensor([0.0, 1.0])).alpha.dtype
        torch.float64
    """
    with torch.no_grad():
        return _moved(schedule.level(times.to(_device_of(schedule))), torch.device("cpu"))


def level_at_log_snr(schedule: Schedule, log_snr: Tensor) -> NoiseLevel:
    r"""The level of a log-SNR, also of one that lies beyond the ends of the schedule; its time is then that of the end.

    Args:
        schedule: The noise schedule.
        log_snr: Log-SNRs of any shape, float64.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import edm_schedule
        >>> from probgen.diffusion.samplers.levels import level_at_log_snr
        >>> level = level_at_log_snr(edm_schedule(), torch.tensor(-10.0).double())
        >>> round(float(level.sigma), 2), float(level.t)
        (148.41, 1.0)
    """
    with torch.no_grad():
        log_alpha, log_sigma = SCALINGS[schedule.scaling](log_snr)
        t = schedule.t_of_log_snr(log_snr.to(_device_of(schedule))).to(log_snr.device)
    return NoiseLevel(t, log_snr, log_alpha.exp(), log_sigma.exp())


def mean_coefficients_of(denoiser: Denoiser, levels: NoiseLevel) -> tuple[list[float], list[float]]:
    r"""The coefficients of :math:`\hat x_0 = c_{\mathrm{skip}} x_t + c_{\mathrm{out}} F` at levels ``[N]``, as floats.

    Args:
        denoiser: The denoiser.
        levels: Levels ``[N]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import NetworkDenoiser, cosine_schedule
        >>> from probgen.diffusion.samplers.levels import levels_at, mean_coefficients_of
        >>> denoiser = NetworkDenoiser(torch.nn.Identity(), cosine_schedule(), (2,), parameterization="x0")
        >>> mean_coefficients_of(denoiser, levels_at(denoiser.schedule, torch.tensor([0.5])))
        ([0.0], [1.0])
    """
    with torch.no_grad():
        skip, out = denoiser.coefficients(_moved(levels, _device_of(denoiser)))
    return skip.tolist(), out.tolist()


def separate(denoiser: Denoiser, levels: NoiseLevel) -> list[NoiseLevel]:
    """Levels ``[N]`` as N levels without dimensions, where the denoiser lives.

    Args:
        denoiser: The denoiser.
        levels: Levels ``[N]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import GaussianDenoiser, linear_schedule
        >>> from probgen.diffusion.samplers.levels import levels_at, separate
        >>> denoiser = GaussianDenoiser(linear_schedule(), torch.zeros(1), torch.tensor(1.0))
        >>> len(separate(denoiser, levels_at(denoiser.schedule, torch.tensor([0.5, 1.0]))))
        2
    """
    moved = _moved(levels, _device_of(denoiser))
    columns = (value.unbind(0) for value in (moved.t, moved.log_snr, moved.alpha, moved.sigma))
    return [NoiseLevel(*values) for values in zip(*columns, strict=True)]


def _moved(level: NoiseLevel, device: torch.device) -> NoiseLevel:
    return NoiseLevel(*(value.detach().to(device) for value in (level.t, level.log_snr, level.alpha, level.sigma)))


def _device_of(module: torch.nn.Module) -> torch.device:
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")
