"""A small made-up corpus and a tiny recipe: what the tests of data and training need."""

import csv

import numpy as np
import soundfile

SOURCES = {"Libri": 0.5, "Commands": 0.5}
TINY = """
name = "tiny"
seed = 3
order = ["vqvae", "adversarial", "vocoder"]
patch_discriminator_channels = 4

[data]
folder = "{folder}"
cache = "{folder}/cache"
sources = {{ Libri = 0.5, Commands = 0.5 }}
held_out = 2
held_out_others = 1
validation_utterances = 2
validation_seconds = 1.0

[vqvae]
channels = 8
encoder_blocks = 1
decoder_blocks = 1
codebook_size = 4096
book_size = 16

[vocoder]
generator = "convnext-istft"
channels = 16
blocks = 1

[discriminators]
period_channels = [4, 4]
stft_channels = 4

[stages.vqvae]
steps = 6
batch_size = 2
segment_frames = 64
quantize_from = 2
validate_every = 3
save_every = 3
warmup_steps = 2
ema_decay = 0.0
weights = {{ l1 = 1.0, l2 = 0.2, commitment = 0.25 }}

[stages.adversarial]
steps = 4
batch_size = 2
segment_frames = 64
quantize_from = 0
adversarial_from = 1
save_every = 2
validate_every = 4
weights = {{ l1 = 1.0, l2 = 0.2, commitment = 0.25, adversarial = 0.1, features = 0.1 }}

[stages.vocoder]
steps = 6
batch_size = 2
segment_frames = 64
adversarial_from = 2
mel_loss_scales = 2
validate_every = 3
save_every = 3
codecs = ["spc.safetensors"]
weights = {{ mel = 45.0, adversarial = 1.0, features = 10.0 }}

[stages.joint]
steps = 4
batch_size = 2
segment_frames = 64
adversarial_from = 2
mel_loss_scales = 2
full_rate = 0.5
validate_every = 2
save_every = 2
weights = {{ mel = 45.0, l1 = 10.0, adversarial = 1.0, features = 10.0 }}
"""


def write_corpus(folder):
    """Twelve utterances of amplitude-modulated harmonics: six speakers of one source, one of the other."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(12):
        source, speaker = ("the Libri set", f"s{number}") if number < 6 else ("Commands of one", "all")
        seconds = 1.2 + 0.1 * number
        time = np.arange(int(16_000 * seconds)) / 16_000
        voice = sum(np.sin(2 * np.pi * (100 + 10 * number) * k * time) / k for k in range(1, 20))
        wave = 0.1 * voice * (0.55 + 0.45 * np.sin(2 * np.pi * 3 * time)) + 0.003 * rng.standard_normal(
            len(time)
        )
        soundfile.write(folder / f"u{number}.flac", wave.astype(np.float32), 16_000)
        rows.append({"file": f"u{number}.flac", "speaker": speaker, "source": source})
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def write_recipe(folder, **replacements):
    """A tiny recipe over the corpus in `folder`; `old=new` strings may replace parts of its text."""
    text = TINY.format(folder=folder)
    for old, new in replacements.items():
        text = text.replace(old, new)
    path = folder / "tiny.toml"
    path.write_text(text)
    return path
