"""Puts the start-up template into the wheel, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TemplateHook(BuildHookInterface):
    """Adds `sitecustomize_template/` as `anchor_autopatch/_hook/`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Include the folder in a real wheel; an editable install reads it from the checkout."""
        # version is "editable" for `pip install -e`: copying there leaves a stray
        # anchor_autopatch/ in site-packages, importable after the uninstall.
        if version != "standard":
            return
        template = Path(self.root) / "sitecustomize_template"
        build_data["force_include"][str(template)] = "anchor_autopatch/_hook"
