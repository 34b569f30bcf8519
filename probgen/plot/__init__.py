"""Pictures, tables and pages. Matplotlib is imported when a figure is first made (extra ``[plot]``).

This package computes no results; see ``probgen.metrics``.
"""

from probgen.plot.diagnoses import diagnosis
from probgen.plot.figures import curves, density_2d, history, image_grid
from probgen.plot.html import Page
from probgen.plot.labeled_rows import image_rows
from probgen.plot.receptive_fields import causality
from probgen.plot.tables import table

__all__ = ["Page", "causality", "curves", "density_2d", "diagnosis", "history", "image_grid", "image_rows", "table"]
