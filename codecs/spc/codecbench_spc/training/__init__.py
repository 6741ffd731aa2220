"""Training: the loop, its stages, their losses and data, and the export of what was learnt."""
