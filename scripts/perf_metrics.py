"""How fast the metric layer is beside the plain libraries called one by one, on the same pairs.

``python scripts/perf_metrics.py`` decodes utterances with eight codecs and scores all pairs with all default
metrics twice, utterance by utterance: as a worker does (`calls.score`, where metrics keep what they make of a
reference), and by the libraries' own functions, each asked for one score at a time.  Both take turns in this
process and are measured in its processor time, so that a busy machine slows both alike.  It prints what each
metric takes for a second of speech and the utterance-seconds scored in a second, and fails where the suite
has less than `LEAST_RATIO` times those of the libraries, or other scores.

The functions for STOI and PESQ in torchmetrics and VERSA call the packages that are called here.  No library
gives MCD and the mel distance by the suite's recipes: their plain side is the suite's own function with
nothing kept, which analyses both waves of every pair.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import click
import numpy as np

from codecbench import audio, calls, metric, registry
from codecbench.codec import Wave
from codecbench.data.folders import load_dataset
from codecbench.metric import Metric
from codecbench.metrics import mcd
from codecbench.run.plan import DEFAULT_METRICS
from perf import speech

CODECS = "opus@8,opus@16,opus@24,codec2@3.2,amr-nb@12.2,g722@64,lc3@24,silk@12"
UTTERANCES = 6
RATE_HZ = 16_000
LEAST_RATIO = 1.7
TOLERANCE = 1e-6
BOTH_MAPPINGS = ("visqol", "visqol-poly")

Scorer = Callable[[Wave, Wave], float]


@click.command()
@click.option(
    "--data", default=None, help="A folder of audio or the name of a set.  [default: speech, else demo]"
)
@click.option("--limit", default=UTTERANCES, show_default=True, help="Utterances.")
@click.option("--codecs", default=CODECS, show_default=True, help="NAME@POINT, with commas between.")
def main(data: str | None, limit: int, codecs: str) -> None:
    """Measure the metric layer; fail where it misses its figure or scores differ."""
    sample = load_dataset(data or speech()).sample(limit)
    references = [audio.load_at(item.path, RATE_HZ) for item in sample.utterances]
    coders = [coder(request) for request in codecs.split(",")]
    ours, plain = suite(), libraries()
    ours_s, plain_s = dict.fromkeys(ours, 0.0), dict.fromkeys(plain, 0.0)
    measure(ours, references[0], [coders[0](references[0])], dict(ours_s))  # loads and compiles
    measure(plain, references[0], [coders[0](references[0])], dict(plain_s))
    scored_s = 0.0
    for ref in references:
        decoded = [code(ref) for code in coders]
        scored_s += len(decoded) * ref.size / RATE_HZ
        metric._prepared.clear()  # of the warm-up
        compare(measure(ours, ref, decoded, ours_s), measure(plain, ref, decoded, plain_s))
    click.echo(f"{len(references)} utterances, {len(coders)} codecs, {scored_s:.0f} s of decoded speech")
    if tell(scored_s, ours_s, plain_s) < LEAST_RATIO:
        raise click.ClickException("the figure is missed")


def coder(request: str) -> Callable[[Wave], Wave]:
    """Return what codes and decodes a wave at 16 kHz, by ``NAME@POINT``."""
    name, _, wanted = request.partition("@")
    codec = registry.codec(name)
    codec.open()
    point = codec.point(wanted)

    def code(ref: Wave) -> Wave:
        rate_hz = codec.info.sample_rate_hz
        coded, _ = calls.encode(codec, audio.resample(ref, RATE_HZ, rate_hz), point)
        decoded, _ = calls.decode(codec, coded, point)
        return audio.fit(audio.resample(decoded, rate_hz, RATE_HZ), ref.size)

    return code


def suite() -> dict[str, Scorer]:
    """Return the default metrics as a worker calls them."""
    return {name: partial(calls.score, _opened(name)) for name in DEFAULT_METRICS}


def libraries() -> dict[str, Scorer]:
    """Return one call of a library for each default metric."""
    from pesq import pesq
    from pystoi import stoi

    return {
        "stoi": lambda ref, deg: float(stoi(*_double(ref, deg), RATE_HZ)),
        "estoi": lambda ref, deg: _seeded(lambda: stoi(*_double(ref, deg), RATE_HZ, extended=True)),
        "pesq-wb": lambda ref, deg: float(pesq(RATE_HZ, ref, deg, "wb")),
        "pesq-nb": lambda ref, deg: float(pesq(RATE_HZ, ref, deg, "nb")),
        "mcd": _forgetful(_opened("mcd")),
        "visqol": _visqol(lattice=True),
        "visqol-poly": _visqol(lattice=False),
        "si-sdr": _si_sdr,
        "mel-distance": _forgetful(_opened("mel-distance")),
    }


def measure(
    scorers: Mapping[str, Scorer], ref: Wave, decoded: Sequence[Wave], spent_s: dict[str, float]
) -> dict[str, list[float]]:
    """Score an utterance's pairs, codec by codec as a plan does; add the processor time of each metric."""
    scores: dict[str, list[float]] = {name: [] for name in scorers}
    for deg in decoded:
        for name, scorer in scorers.items():
            began = time.process_time()
            scores[name].append(scorer(ref, deg))
            spent_s[name] += time.process_time() - began
    return scores


def compare(ours: Mapping[str, list[float]], plain: Mapping[str, list[float]]) -> None:
    """Refuse figures of scores that are not the libraries'."""
    for name, scores in ours.items():
        apart = float(np.abs(np.subtract(scores, plain[name])).max())
        if not apart <= TOLERANCE:
            raise click.ClickException(f"{name}: the library's scores are others, by up to {apart:.2g}")


def tell(scored_s: float, ours_s: Mapping[str, float], plain_s: Mapping[str, float]) -> float:
    """Print milliseconds for a second of speech, by metric, and in all; return the ratio of the whole."""
    click.echo(f"{'ms for a second of speech':28}{'suite':>9}{'libraries':>11}{'ratio':>8}")
    for name in ours_s:
        _row(name, scored_s, ours_s[name], plain_s[name])
    whole = sum(ours_s.values()), sum(plain_s.values())
    _row("all", scored_s, *whole)
    # One call of the package could give both mappings, though no function of it does.
    once = sum(plain_s.values()) - plain_s[BOTH_MAPPINGS[1]]
    _row("all, ViSQOL called once", scored_s, whole[0], once)
    rates = [scored_s / seconds for seconds in whole]
    ratio = rates[0] / rates[1]
    click.echo(
        f"utterance-seconds in a second: suite {rates[0]:.2f}, libraries {rates[1]:.2f};"
        f" ratio {ratio:.2f} (at least {LEAST_RATIO:g})"
    )
    return ratio


def _row(name: str, scored_s: float, ours_s: float, plain_s: float) -> None:
    cells = (1000 * seconds / scored_s for seconds in (ours_s, plain_s))
    click.echo(f"{name:28}" + "{:9.1f}{:11.1f}".format(*cells) + f"{plain_s / ours_s:8.2f}")


def _opened(name: str) -> Metric:
    made = registry.metric(name)
    made.open()
    return made


def _forgetful(made: Metric) -> Scorer:
    def score(ref: Wave, deg: Wave) -> float:
        metric._prepared.clear()
        mcd._mel_cepstra.cache_clear()
        return made.score(ref, deg)

    return score


def _visqol(*, lattice: bool) -> Scorer:
    from visqol import VisqolApi

    api = VisqolApi()
    api.create(mode="speech", use_lattice_model=lattice)

    def score(ref: Wave, deg: Wave) -> float:
        first, second = _double(ref, deg)
        return float(api.measure_from_arrays(first, second, sample_rate=RATE_HZ).moslqo)

    return score


def _si_sdr(ref: Wave, deg: Wave) -> float:
    import torch
    from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio

    target, estimate = map(torch.from_numpy, _double(ref, deg))
    return float(scale_invariant_signal_distortion_ratio(estimate, target, zero_mean=True))


def _seeded(work: Callable[[], float]) -> float:
    np.random.seed(0)  # the package adds noise of numpy's global generator, the suite that of seed 0
    return float(work())


def _double(*waves: Wave) -> list[np.ndarray]:
    return [wave.astype(np.float64) for wave in waves]


if __name__ == "__main__":
    main()
