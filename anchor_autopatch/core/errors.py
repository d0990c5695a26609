"""The errors that this package raises on purpose; every text names the value and the mend."""

from __future__ import annotations


class AnchorError(Exception):
    """Something that a person has to mend; the text says what and how."""


class ConfigError(AnchorError):
    """A setting, a policy file or an environment variable cannot be used as written."""


class InvoiceError(AnchorError):
    """An invoice document was refused; nothing of it was imported."""


class StoreError(AnchorError):
    """The warehouse, an outbox or a destination cannot be read or written."""
