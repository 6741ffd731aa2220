"""codecbench: an honest benchmark of speech codecs at measured bitrates."""

__version__ = "0.1.0"
