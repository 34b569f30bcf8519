"""Pages looked at in a real browser: errors, formulas, pictures, widths, search."""
