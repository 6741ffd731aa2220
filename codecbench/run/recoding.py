"""Stability of tokens: what of them a second coding of the decoded speech leaves.

It costs a codec another encoding, so it is measured on a sample of a run's utterances; which ones stands in
the manifest.
"""

from __future__ import annotations

import numpy as np

from codecbench import calls
from codecbench.codec import Codec, Codes, OperatingPoint, Wave

DEFAULT_RECODED = 8
"""Utterances of a run whose decoded speech token codecs code again."""


def recoded_equal(codec: Codec, codes: Codes, decoded: Wave, point: OperatingPoint) -> float | None:
    """Return the share of tokens [F, T] that decoded speech, coded again, has at the same places.

    None without tokens, or where the codec cannot code its own output: the first coding stands all the same.
    """
    try:
        again = calls.encode(codec, decoded, point)[0].codes
    except Exception:
        return None
    if again is None or not codes.size:
        return None
    streams, steps = (min(one, other) for one, other in zip(codes.shape, again.shape, strict=True))
    equal = np.count_nonzero(codes[:streams, :steps] == again[:streams, :steps])
    return equal / max(codes.size, again.size)
