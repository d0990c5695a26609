"""Failures beside those of provider calls: of the application itself."""
