"""Lyra v2 behind the suite's interface."""
