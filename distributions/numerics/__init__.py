"""Numerical kernels: stable scalar functions, root finding, differential equations and linear algebra.

Pure functions on tensors. This package knows neither bijectors nor distributions.
"""
