"""Archive: immutable Parquet files of what was shipped, by UTC day, and what retention removes."""

from anchor_autopatch.job.archive.archiving import ArchiveReport, archive
from anchor_autopatch.job.archive.purging import PurgeReport, purge
from anchor_autopatch.job.archive.retention import Retention, read_retention

__all__ = (
    "ArchiveReport",
    "PurgeReport",
    "Retention",
    "archive",
    "purge",
    "read_retention",
)
