"""SDKs of paid models that nothing here captures, and why.

An SDK that is not listed speaks a known dialect over a captured HTTP client (Together's, Cerebras',
Voyage's, Hugging Face's), or nobody has looked at it yet. Sources: the SDKs' own transports and
paths, read 2026-11.
"""

from __future__ import annotations

_PATHS = "its calls go to paths of its own"
UNCAPTURED = {
    "google-generativeai": "it speaks gRPC; its successor google-genai is captured",
    "assemblyai": _PATHS,
    "dashscope": f"{_PATHS}; through the openai SDK they are captured",
    "deepgram-sdk": _PATHS,
    "elevenlabs": _PATHS,
    "fal-client": _PATHS,
    "ibm-watsonx-ai": f"{_PATHS}; through the openai SDK they are captured",
    "replicate": _PATHS,
    "stability-sdk": "it speaks gRPC",
}
"""Distribution -> why its calls leave no receipt."""
