"""A local server with the wire formats of OpenAI, Anthropic and Gemini; it remembers its bills.

`running()` starts it as a process of its own. Only the standard library is imported here, so the
client half works in any environment.
"""

from __future__ import annotations

from examples.provider_sim.client import Simulator, running

__all__ = ["Simulator", "running"]
