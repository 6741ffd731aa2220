"""Checks of metrics, and the signals for them."""
