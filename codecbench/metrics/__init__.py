"""Metrics: one file each, with its recipe, units, range and source; see `codecbench.metric.Metric`."""
