"""What a recording depends on."""

import torch
from torch import nn

from probgen.infer.fingerprint import Fingerprint, Same, input_key, mode_key


class Toy(nn.Linear):
    weight_of_term = 1.0

    def __init__(self):
        super().__init__(2, 2)
        self.beta = 1.0


def test_fingerprint_is_by_value_and_notices_changes():
    net = Toy()
    first = Fingerprint(net)
    assert first.is_current()
    net.beta = 2.0
    assert not first.is_current()
    net.beta = 1.0
    assert Fingerprint(net).key == first.key
    net.extra = [1, 2]
    second = Fingerprint(net)
    assert second.key != first.key
    net.extra.append(3)
    assert not second.is_current()
    net.register_forward_hook(lambda *args: None)
    assert Fingerprint(net).key != second.key


def test_gradient_flags_inputs_and_modes():
    net = Toy()
    print_ = Fingerprint(net)
    net.bias.requires_grad_(False)
    assert print_.gradient_flags() == (True, False)
    x = torch.zeros(2, 3)
    assert input_key([x]) != input_key([x.T])
    assert input_key([x, True]) != input_key([x, 1])
    assert input_key([x]) != input_key([x.double()])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = mode_key()
    assert inside != mode_key()
    assert Same(x) == Same(x) != Same(torch.zeros(2, 3))
