"""The sections of anchor.toml that only the job reads, each by its own reader."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.mistakes import told_by

Config = Mapping[str, object]


def readers() -> dict[str, Callable[[Config], object]]:
    """Name of a section -> what reads it, and raises ConfigError where it cannot.

    Raises:
        ModuleNotFoundError: this environment has no job.
    """
    from anchor_autopatch.core.alerting.rules import read_rules as read_alert_rules
    from anchor_autopatch.job.allocation.policies import read_policies
    from anchor_autopatch.job.archive.retention import read_retention
    from anchor_autopatch.job.close.rules import read_rules as read_close_rules
    from anchor_autopatch.job.incidents.rules import read_rules as read_incident_rules
    from anchor_autopatch.job.rates.dating import read_starts_from
    from anchor_autopatch.job.settlement import overdue_after
    from anchor_autopatch.job.variance.rules import read_variance_rules

    # Not `pull`: its reader asks for keys, which need not be where the file is checked.
    return {
        "prices": read_starts_from,
        "settlement": overdue_after,
        "close": read_close_rules,
        "variance": read_variance_rules,
        "allocation": read_policies,
        "retention": read_retention,
        "incidents": read_incident_rules,
        "alerts": lambda config: read_alert_rules(config, os.environ),
    }


def problems(config: Config) -> Iterator[tuple[str, str]]:
    """Section and text of each mistake for which its reader would refuse it.

    Raises:
        ModuleNotFoundError: this environment has no job.
    """
    for section, read in readers().items():
        try:
            read(config)
        except ConfigError as error:
            yield from ((section, text) for text in told_by(error))
