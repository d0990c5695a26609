"""Failures beside those of provider calls: of other services, and of the application itself."""
