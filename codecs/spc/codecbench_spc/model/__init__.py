"""The networks: log-mel front end, VQ-VAE with its quantizers, vocoder, and the checkpoints they live in."""
