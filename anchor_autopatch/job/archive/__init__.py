"""Archive: immutable Parquet files of what was shipped, by UTC day, and what retention removes."""

from anchor_autopatch.job.archive.archiving import ArchiveReport, archive, archive_if_asked
from anchor_autopatch.job.archive.purging import PurgeReport, purge
from anchor_autopatch.job.archive.retention import Retention, read_retention
from anchor_autopatch.job.archive.views import create_views, find_missing

__all__ = (
    "ArchiveReport",
    "PurgeReport",
    "Retention",
    "archive",
    "archive_if_asked",
    "create_views",
    "find_missing",
    "purge",
    "read_retention",
)
