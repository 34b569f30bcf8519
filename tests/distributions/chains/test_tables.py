"""Tables stay exact under casts and are read the same under vmap."""

import torch

from probgen.distributions.chains import FittedVariance, linear_schedule
from probgen.distributions.chains.tables import ExactTables, entries


def test_tables_keep_their_dtype_and_parameters_do_not():
    class Both(ExactTables):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(2))
            self.register_buffer("table", torch.tensor([1 / 3]).double())
            self.register_buffer("absent", None)

    both = Both().half()
    assert both.weight.dtype == torch.float16
    assert torch.equal(both.table, torch.tensor([1 / 3]).double())
    assert both.to("meta").table.is_meta


def test_inside_a_model():
    model = torch.nn.ModuleList([linear_schedule(), FittedVariance(torch.tensor([0.0, 1.0]), torch.tensor([0.1, 0.2]))])
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.bfloat16().named_buffers())


def test_entries_of_any_shape():
    table, index = torch.randn(5), torch.tensor([[0, 4], [2, 2]])
    assert torch.equal(entries(table, index), table[index])
    assert entries(table, torch.tensor(3)).shape == ()
    assert entries(table, torch.zeros(0, dtype=torch.long)).shape == (0,)
    assert torch.equal(torch.vmap(lambda i: entries(table, i))(index), table[index])
