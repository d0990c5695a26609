"""The mark of an open call in a context."""

from __future__ import annotations

from contextvars import copy_context

from anchor_autopatch.host.capture.calls import Call
from anchor_autopatch.host.capture.layers import active, leave_context, open_layer


def test_mark_set_in_another_context_is_left_quietly(home):
    token = copy_context().run(active.set, Call("openai", "chat", None, None, stream=False))

    leave_context(token)

    assert open_layer() is None


def test_call_that_is_over_is_no_layer_of_what_comes_later(home):
    call = Call("litellm", "chat", None, None, stream=False)
    token = active.set(call)
    call.leave_to_children()

    assert open_layer() is None
    leave_context(token)
