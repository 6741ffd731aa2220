import numpy as np
import pytest
import torch

from codecbench_spc.model import mel


@pytest.mark.parametrize(("n_fft", "bands"), [(512, 80), (2048, 160), (1024, 80), (512, 40)])
def test_filterbank_is_that_of_transformers(n_fft, bands):
    audio_utils = pytest.importorskip("transformers.audio_utils")
    oracle = audio_utils.mel_filter_bank(
        n_fft // 2 + 1, bands, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney"
    )
    np.testing.assert_allclose(mel.mel_filterbank(n_fft, bands), oracle, atol=1e-12)


def test_mel_scale_goes_there_and_back():
    hz = np.array([0.0, 60.0, 999.0, 1000.0, 1001.0, 4000.0, 8000.0])
    np.testing.assert_allclose(mel.mel_to_hz(mel.hz_to_mel(hz)), hz, rtol=1e-12, atol=1e-9)
    assert mel.hz_to_mel(np.array([1000.0]))[0] == 15.0


@pytest.mark.parametrize(("samples", "frames"), [(1, 4), (511, 4), (512, 4), (513, 8), (16_000, 128)])
def test_waves_give_whole_patches(samples, frames):
    assert mel.frame_count(samples) == frames
    assert mel.log_mel(torch.zeros(2, samples)).shape == (2, 80, frames)


def test_silence_is_the_floor():
    assert torch.all(mel.log_mel(torch.zeros(1, 1000)) == torch.tensor(mel.SILENCE))


@pytest.mark.parametrize("sample", [0, 100, 703, 704, 1000, 2047])
def test_frames_cover_the_stated_samples(sample):
    wave = torch.zeros(1, 2048)
    wave[0, sample] = 1000.0
    moved = (mel.log_mel(wave) > mel.SILENCE).any(dim=1)[0].nonzero().flatten().tolist()
    # The periodic Hann window is zero at its first sample, so that one alone moves nothing.
    covering = [t for t in range(16) if 128 * t - 192 < sample < 128 * t + 320]
    assert moved == covering


def test_sine_peaks_in_its_band():
    centre_hz = mel.mel_to_hz(np.linspace(0.0, mel.hz_to_mel(np.array([8000.0]))[0], 82))[1 + 40]
    wave = 0.5 * torch.sin(2 * torch.pi * float(centre_hz) * torch.arange(16_000) / 16_000)
    assert int(mel.log_mel(wave[None])[0, :, 60].argmax()) == 40


def test_pieces_of_a_wave_give_its_frames():
    wave = torch.randn(1, 2048, dtype=torch.float64)
    whole = mel.log_mel(wave)
    assert whole.dtype == torch.float64
    padded = mel.pad_wave(wave)
    pieces = [mel.mel_of_padded(padded[:, 512 * p : 512 * p + 896]) for p in range(4)]
    torch.testing.assert_close(torch.cat(pieces, dim=2), whole, rtol=0.0, atol=1e-12)


def test_last_patch_needs_704_samples():
    wave = torch.randn(1, 4096)
    changed = wave.clone()
    changed[0, 512 + 704 :] += 1.0
    first, second = mel.log_mel(wave), mel.log_mel(changed)
    assert torch.equal(first[:, :, :8], second[:, :, :8])
    assert not torch.equal(first[:, :, :12], second[:, :, :12])


def test_what_inference_cached_serves_training_too():
    with torch.inference_mode():
        mel.filterbank_tensor(64, 7, torch.float32, torch.device("cpu"))
        mel.hann_window(36, torch.float32, torch.device("cpu"))
    assert not mel.filterbank_tensor(64, 7, torch.float32, torch.device("cpu")).is_inference()
    assert not mel.hann_window(36, torch.float32, torch.device("cpu")).is_inference()
