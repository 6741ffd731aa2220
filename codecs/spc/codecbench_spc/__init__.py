"""The Spectrogram Patch Codec (arXiv:2509.02244): model, training and codec plugin of codecbench."""
