"""A codec and a metric for codecbench; docs/plugins.md tells how they came about."""
