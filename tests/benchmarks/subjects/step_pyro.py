"""The same model as programs through Pyro's own SVI with ``Trace_ELBO`` and ``pyro.optim.Adam``."""

import pyro
import torch
from torch import nn

from tests.benchmarks.cases import StepCase
from tests.benchmarks.subjects.step_own import programs
from tests.benchmarks.subjects.steps import Step, data, restarting

PACKAGE = "pyro-ppl"


def build_step(case: StepCase, *, compiled: bool) -> Step:
    from pyro.infer import SVI, JitTrace_ELBO, RenyiELBO, Trace_ELBO

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
    if case.particles > 1:
        elbo = RenyiELBO(alpha=0, num_particles=case.particles, vectorize_particles=True, max_plate_nesting=1)
    optimizer = pyro.optim.Adam({"lr": 1e-3})
    svi = SVI(registered_model, registered_guide, optimizer, elbo)
    x = data(case)
    programs_of_both = nn.ModuleList([part for part in (model, guide) if part is not None])
    return restarting(programs_of_both, lambda: svi.step(x), optimizer.optim_objs.clear)
