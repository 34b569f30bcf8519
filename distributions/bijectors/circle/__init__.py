"""Elementwise maps of the circle; the circular spline stands with the other splines."""
