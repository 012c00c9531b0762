"""The parts of `Agent`: the ways to run it, and the decorators that register functions."""
