"""Laws that can be drawn from but not scored: what generative adversarial networks learn.

``ImplicitDistribution`` is the law, ``ImplicitLaw`` the module that is trained.
"""

from probgen.distributions.implicit.distribution import ImplicitDistribution
from probgen.distributions.implicit.law import ImplicitLaw

__all__ = ["ImplicitDistribution", "ImplicitLaw"]
