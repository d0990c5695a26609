"""Fetches cost and usage reports over HTTP and books them as an import would."""

from __future__ import annotations

from anchor_autopatch.job.invoices.pull.pulling import Pulled, pull, window_of
from anchor_autopatch.job.invoices.pull.targets import PROVIDERS, Target, read_targets

__all__ = ("PROVIDERS", "Pulled", "Target", "pull", "read_targets", "window_of")
