"""Classical speech codecs behind the suite's interface."""
