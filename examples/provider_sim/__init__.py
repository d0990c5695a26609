"""A local server that speaks the wire formats of OpenAI, Anthropic and Gemini and remembers what it billed.

`running()` starts it as a process of its own; only the standard library is imported here, so the client
half works in any environment.
"""

from __future__ import annotations

from examples.provider_sim.client import Simulator, running

__all__ = ["Simulator", "running"]
