"""One provider call: begun, watched, finished once, whatever shape its answer has."""
