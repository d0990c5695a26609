"""Free OpenAI operations: the model list and moderations."""

from __future__ import annotations

from examples.provider_sim.answers import Answer
from examples.provider_sim.calls import Call
from examples.provider_sim.replies import ALIASES, response_id
from examples.provider_sim.values import Json

_CATEGORIES = ("harassment", "hate", "self-harm", "sexual", "violence")


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": 1700000000, "owned_by": "simulator"}


def models(call: Call) -> Answer:
    """Build the answer to GET /v1/models and /v1/models/{model}."""
    wanted = call.request.path_params.get("model")
    if wanted:
        return Answer(_model(str(wanted)))
    names = sorted(name for name in {*ALIASES, *ALIASES.values()} if not name.startswith("claude"))
    return Answer({"object": "list", "data": [_model(name) for name in names]})


def moderations(call: Call) -> Answer:
    """Build the answer to POST /v1/moderations: nothing is ever flagged."""
    result = {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.0),
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
    asked = call.body.get("input")
    count = len(asked) if isinstance(asked, list) else 1
    model = call.model or "omni-moderation-latest"
    return Answer({"id": response_id(call, "modr-"), "model": model, "results": [result] * count})
