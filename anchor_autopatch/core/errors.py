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


class AttributionRequired(AnchorError):  # noqa: N818 - a public name, read as what is asked for
    """The policy refuses a provider call, before it is sent: it is not said who it is for."""
