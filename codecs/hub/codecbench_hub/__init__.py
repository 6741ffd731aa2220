"""The neural codecs of the model hub behind the suite's interface."""
