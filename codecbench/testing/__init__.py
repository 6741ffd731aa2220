"""Checks of codecs and metrics, for the authors of plugins too, and the signals for them."""
