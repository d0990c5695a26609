"""Lets `python -m anchor_autopatch` stand for the `anchor` command."""

from anchor_autopatch.cli import main

raise SystemExit(main())
