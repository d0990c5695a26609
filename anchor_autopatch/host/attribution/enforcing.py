"""Refuses a call that the policy does not let go unattributed.

Before it is sent, at its outermost layer, so that no SDK retries the refusal or wraps it in an
error of its own.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from anchor_autopatch.core.errors import AttributionRequired
from anchor_autopatch.core.failures import ATTRIBUTION_REQUIRED, Failure
from anchor_autopatch.core.policy import REJECT, Violation, mode_of, violations
from anchor_autopatch.host import configuration, failures
from anchor_autopatch.host.attribution import resolving
from anchor_autopatch.host.patching import guarded

if TYPE_CHECKING:
    from anchor_autopatch.host.capture.calls import Call


def refuse(call: Call) -> None:
    """Raises where the policy rejects this call, which nothing has been sent of.

    Raises:
        AttributionRequired: the call stays unsent; the text says which fields and how to mend it.
    """
    refusal = _refusal(call)
    if refusal is not None:
        raise refusal


@guarded("policy")
def _refusal(call: Call) -> AttributionRequired | None:
    policy = configuration.policy()
    if policy is None or not _costs(call):
        return None
    wrong = [found for found in violations(policy, call.attribution) if not _may_turn(found, call)]
    if not wrong or mode_of(policy, call.attribution, time.time_ns() // 1000) != REJECT:
        return None
    text = (
        f"Provider call refused by policy, nothing was sent: "
        f"{'; '.join(found.text for found in wrong)}; "
        f"{_mend(wrong[0])}"
    )
    call.leave_to_children()
    failure = Failure("AttributionRequired", None, None, None, text)
    failures.record(call, failure, ATTRIBUTION_REQUIRED, None)
    return AttributionRequired(text)


def _costs(call: Call) -> bool:
    """Whether this call, or what it submits, can be billed; a look at a list is let through."""
    request = call.reader[0] if isinstance(call.reader, tuple) else call.reader
    return call.billable or getattr(request, "retrieved", True) is False


def _may_turn(found: Violation, call: Call) -> bool:
    """Whether a rule may give the field once an inner layer knows host and key (LiteLLM's calls).

    Such a call is sent; where no rule gave the field, the job holds its receipt back.
    """
    asked = resolving.rules()
    return call.site is None and asked is not None and asked.may_give(found.field)


def _mend(found: Violation) -> str:
    ways = [f"attribute({found.field}=...)"] if found.field not in _NOT_IN_CODE else []
    if found.field in ("user_id", "request_id"):
        ways += ["[inbound] of anchor.toml"]
    else:
        ways += [f"ANCHOR_{found.field.upper()}", "a [[rule]] of anchor.toml"]
    return f"give it by {', '.join(ways[:-1])} or {ways[-1]}"


_NOT_IN_CODE = ("region", "cost_center")
"""Of the process, not of a call: code cannot say them."""
