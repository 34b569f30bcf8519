"""Flows that were trained with other libraries: their weights, constants and order of numbers, in our bijectors.

Nothing here imports another library. A flow is taken apart by the class names and attributes of its modules; what is not
known is refused by name. Dropout is left out: what is imported is the flow as it is evaluated.
"""

from probgen.flows.imported.elements import ImportedAffine, ImportedSpline
from probgen.flows.imported.networks import ReevaluatedNetwork
from probgen.flows.imported.nflows import from_nflows
from probgen.flows.imported.zuko import from_zuko

__all__ = ["ImportedAffine", "ImportedSpline", "ReevaluatedNetwork", "from_nflows", "from_zuko"]
