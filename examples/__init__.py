"""Runnable examples: applications, a demo and the provider simulator they talk to."""
