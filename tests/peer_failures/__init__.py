"""Failures of other flow libraries, one test each; docs/guides/peers-failures.md says which library and by how much."""
