"""Planning and running: cells, workers, and the executors that they run on."""
