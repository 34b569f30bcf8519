"""Cases of flows of waves, and of contexts that a network embeds once."""

from torch import nn

from probgen.distributions.bijectors import Affine, ConditionalElementwise, EmbeddedContext
from probgen.distributions.testing import BijectorCase
from probgen.flows import wave_glow


def _embedded() -> EmbeddedContext:
    base = ConditionalElementwise(Affine(), nn.Linear(3, 4), context_shape=(3,), event_shape=(2,))
    return EmbeddedContext(base, nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Tanh()), (2, 2))


BIJECTORS = {
    "EmbeddedContext": BijectorCase(_embedded, event_shape=(2,)),
    "wave_glow": BijectorCase(
        lambda: wave_glow(12, group=4, steps=2, early_every=1, channels=4, layers=2, early_size=1), event_shape=(12,)
    ),
    "wave_glow(spectrogram)": BijectorCase(
        lambda: wave_glow(8, context_shape=(2, 2), group=4, steps=1, channels=4, layers=1, features=3),
        event_shape=(8,),
    ),
}
