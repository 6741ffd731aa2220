import pytest
import torch

from codecbench.errors import InvalidInput
from codecbench_spc.model.layers import OverlapAdd, StreamState
from codecbench_spc.model.mel import SILENCE, hann_window, log_mel
from codecbench_spc.model.vocoder import GENERATORS, Vocoder, VocoderConfig, band_interpolation, inverse_stft
from codecbench_spc.model.vqvae import VQVAE, VqvaeConfig


def vocoder_of(generator):
    torch.manual_seed(0)
    return Vocoder(VocoderConfig(generator=generator, channels=32)).eval()


@pytest.mark.parametrize("generator", GENERATORS)
@torch.no_grad()
def test_streams_give_the_same_samples(generator):
    vocoder = vocoder_of(generator)
    mel = -5.0 + 2.0 * torch.randn(1, 80, 40)
    whole = vocoder(mel)
    assert whole.shape == (1, 40 * 128)
    assert whole.abs().max() > 1e-3
    flushed = torch.cat([mel, torch.full((1, 80, 4), SILENCE)], dim=2)
    state = StreamState()
    parts = [vocoder(part, state) for part in torch.split(flushed, [4, 8, 4, 20, 8], dim=2)]
    torch.testing.assert_close(torch.cat(parts, dim=1)[:, 512:], whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("generator", GENERATORS)
@torch.no_grad()
def test_algorithmic_delay_is_76_ms(generator):
    """Change one input sample, see the first output sample that moves; without the quantizer, which hides."""
    torch.manual_seed(0)
    vqvae, vocoder = VQVAE(VqvaeConfig(channels=16)).eval(), vocoder_of(generator)

    def through(wave):
        return vocoder(vqvae.synthesise(vqvae.analyse(log_mel(wave), 0), 0))[0]

    wave = 0.1 * torch.randn(1, 8192)
    advances = []
    for sample in (3263, 3264, 3500):
        changed = wave.clone()
        changed[0, sample] += 0.5
        first = int((through(wave) - through(changed)).abs().gt(0).nonzero()[0])
        # Output `m` in patch `p = m // 512` may depend on input up to `512 p + 1216`.
        assert 512 * (first // 512) + 1216 > sample
        advances.append(sample - first)
    assert max(advances) < 1216
    # Sample 3263 is the last that patch 4 may hear: the stated delay is reached, not only kept.
    assert advances[0] > 1216 - 512


def test_inverse_stft_undoes_the_stft():
    wave = torch.randn(1, 4096, dtype=torch.float64)
    window = hann_window(512, torch.float64, torch.device("cpu"))
    spectrum = torch.stft(wave, 512, 128, window=window, center=False, return_complex=True)
    made = inverse_stft(spectrum, OverlapAdd(128, 4), None)
    torch.testing.assert_close(made[:, 384:], wave[:, 384 : made.shape[1]], rtol=0, atol=1e-12)


def test_interpolated_magnitudes_keep_a_flat_spectrum():
    flat = torch.full((257,), 2.0) @ torch.linalg.pinv(torch.eye(257))
    from codecbench_spc.model.mel import mel_filterbank

    bands = flat.double() @ torch.from_numpy(mel_filterbank(512, 80))
    back = bands.float() @ band_interpolation()
    torch.testing.assert_close(back[1:-1], flat[1:-1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("generator", "channels", "limit"),
    [("convnext-istft", 256, 1_900_000), ("hifigan", 128, 950_000), ("istft-hifigan", 128, 950_000)],
)
def test_sizes(generator, channels, limit):
    vocoder = Vocoder(VocoderConfig(generator=generator, channels=channels))
    assert 0.8 * limit < sum(p.numel() for p in vocoder.parameters()) < limit


def test_unknown_generator_and_short_lookahead_are_refused():
    with pytest.raises(InvalidInput, match="hifigan, istft-hifigan, convnext-istft"):
        Vocoder(VocoderConfig(generator="wavenet"))
    with pytest.raises(InvalidInput, match="needs a lookahead of 2 frames"):
        Vocoder(VocoderConfig(lookahead=1))
