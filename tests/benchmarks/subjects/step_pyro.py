"""The same programs through Pyro's own SVI with ``Trace_ELBO`` and ``pyro.optim.Adam``."""

import pyro
import torch

from tests.benchmarks.cases import StepCase
from tests.benchmarks.subjects.step_own import programs
from tests.benchmarks.subjects.steps import Step, data

PACKAGE = "pyro-ppl"


def build_step(case: StepCase, *, compiled: bool) -> Step:
    from pyro.infer import SVI, JitTrace_ELBO, Trace_ELBO

    pyro.enable_validation(False)
    torch.distributions.Distribution.set_default_validate_args(False)
    model, guide = programs(case)

    def registered_model(x):
        pyro.module("model", model)
        return model(x)

    def registered_guide(x):
        if guide is not None:
            pyro.module("guide", guide)
            guide(x)

    elbo = JitTrace_ELBO(ignore_jit_warnings=True) if compiled else Trace_ELBO()
    svi = SVI(registered_model, registered_guide, pyro.optim.Adam({"lr": 1e-3}), elbo)
    x = data(case)
    return lambda: svi.step(x)
