"""Tiny random models of the released structure: rates, hops and codebooks as released, few channels."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import torch

HUBERT = {
    "model_type": "hubert",
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
DAC_LIKE = {
    "model_type": "dac",
    "encoder_hidden_size": 2,
    "downsampling_ratios": [8, 5, 4, 2],
    "decoder_hidden_size": 32,
    "upsampling_ratios": [8, 5, 4, 2],
    "hidden_size": 16,
}
BERT = {
    "model_type": "wav2vec2-bert",
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "feature_projection_input_dim": 160,
}
FSQ = {
    "hidden_size": 64,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "encoder_hidden_size": 2,
    "quantization_dim": 80,
    "semantic_model_config": BERT,
}
SNAC = {
    "sampling_rate": 24_000,
    "encoder_dim": 4,
    "encoder_rates": [2, 4, 8, 8],
    "decoder_dim": 32,
    "decoder_rates": [8, 8, 4, 2],
    "attn_window_size": None,
    "codebook_size": 4096,
    "codebook_dim": 8,
    "vq_strides": [4, 2, 1],
    "noise": True,
    "depthwise": True,
}
DAC = {"encoder_hidden_size": 4, "downsampling_ratios": [2, 4, 5, 8], "decoder_hidden_size": 32}
CONFIGS = {
    "encodec": ("Encodec", {"num_filters": 2, "hidden_size": 8, "num_lstm_layers": 1}),
    "dac": ("Dac", {**DAC, "n_codebooks": 12, "sampling_rate": 16_000}),
    "dac-24k": ("Dac", {**DAC, "n_codebooks": 32, "sampling_rate": 24_000}),
    "mimi": (
        "Mimi",
        {
            "num_filters": 4,
            "hidden_size": 16,
            "codebook_dim": 8,
            "vector_quantization_hidden_dimension": 8,
            "upsample_groups": 16,
            "num_hidden_layers": 1,
            "intermediate_size": 16,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 8,
        },
    ),
    "xcodec": ("Xcodec", {"acoustic_model_config": DAC_LIKE, "semantic_model_config": HUBERT}),
    "xcodec2": ("Xcodec2", FSQ),
    "neucodec": ("NeuCodec", FSQ),
}
NAMES = [*CONFIGS, "snac"]


def save(name: str, folder: Path, **changes: object) -> Path:
    """Save a tiny random model of a codec as the hub would hold it, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        if name == "snac":
            _save_snac(folder, changes)
        else:
            _save_transformers(name, folder, changes)
    return folder


def _save_transformers(name: str, folder: Path, changes: dict[str, object]) -> None:
    import transformers

    family, options = CONFIGS[name]
    config = getattr(transformers, f"{family}Config")(**{**options, **changes})
    network = getattr(transformers, f"{family}Model")(config)
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if key.endswith(("codebook.embed", "codebook.embed_sum", "codebook.weight")):
                value.normal_(std=0.3)
            elif value.is_floating_point() and value.ndim > 1 and family in {"Xcodec2", "NeuCodec"}:
                value.normal_(std=2 / value[0].numel() ** 0.5)  # the small default codes all speech alike
    if family == "Encodec":
        _spread_codebooks(network)
    network.save_pretrained(folder)


@torch.no_grad()
def _spread_codebooks(network: torch.nn.Module) -> None:
    """Lay codebooks about the encoder's own latents, so that what it hears decides the codes."""
    latents = network.encoder(0.1 * torch.randn(1, 1, 32_000))[0]
    for index, layer in enumerate(network.quantizer.layers):
        layer.codebook.embed.normal_().mul_(latents.std(dim=1)).add_(0 if index else latents.mean(dim=1))


def _save_snac(folder: Path, changes: dict[str, object]) -> None:
    from safetensors.torch import save_file

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        import snac
    options = {**SNAC, **changes}
    save_file(snac.SNAC(**options).state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(options))
