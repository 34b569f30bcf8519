"""Broken bijectors and distributions, one bug each, to show that the law kit finds them."""
