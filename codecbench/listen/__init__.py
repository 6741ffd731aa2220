"""Listening tests: export MUSHRA and ABX sets from a run's kept audio, and read the answers back.

``mushra`` writes a folder to lay over a webMUSHRA installation: stimuli as WAV and a configuration with a
hidden reference and low-pass anchors at 3.5 and 7 kHz (ITU-R BS.1534-3).  ``abx`` writes a page of its own
that works from a file: X is A or B, and the listener says which.  What hides behind each name stands in
``key.json``, which is not for listeners.  Everything random is seeded.

References: ITU-R BS.1534-3, 2015 (MUSHRA, post-screening in 4.1.2); Munson and Gardner, JASA 22(5), 1950
(ABX); Schoeffler et al., Journal of Open Research Software 6(1), 2018 (webMUSHRA).
"""
