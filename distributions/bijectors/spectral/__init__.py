"""Fixed orthonormal transforms along axes of the event: wavelets and cosines."""
