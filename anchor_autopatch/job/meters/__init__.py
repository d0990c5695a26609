"""Raw usage -> disjoint meters, for every shape of usage that the host records.

`read_meters` is pure; `measure` runs it over the warehouse. A change of meaning raises
METER_VERSION, and the next run measures the history again from the raw text.
"""

from anchor_autopatch.job.meters.measure import MeasureReport, measure
from anchor_autopatch.job.meters.reading import METER_VERSION, read_meters
from anchor_autopatch.job.meters.record import Meters

__all__ = ("METER_VERSION", "MeasureReport", "Meters", "measure", "read_meters")
