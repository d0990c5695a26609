"""What an application logs as an error, and what nobody catches, leaves one event each."""

from __future__ import annotations

import logging
import sys
import threading

import pytest

from anchor_autopatch.host import failures, patching
from anchor_autopatch.host.targets import EXECUTORS
from tests.host.support import run_python

pytestmark = pytest.mark.usefixtures("home", "_hooked")

log = logging.getLogger("shop.orders")


@pytest.fixture
def _hooked(home, monkeypatch):
    """What the finder does; undone afterwards."""
    monkeypatch.setattr(sys, "excepthook", lambda *_: None)
    monkeypatch.setattr(sys, "unraisablehook", lambda *_: None)
    monkeypatch.setattr(threading, "excepthook", lambda *_: None)
    before = len(patching._undo)
    patching.apply(next(target for target in EXECUTORS if target.name == "errors"))
    assert patching.states["errors"].patched
    yield
    patching._undo_down_to(before)


class OrderError(Exception):
    """An exception of the application's, which can be weakly referenced."""


def place_order(error):
    raise error


def test_logged_exception_is_an_event_of_the_application(one_event):
    try:
        place_order(ValueError("the prompt was: tell me"))
    except ValueError:
        log.exception("Order %s failed", 4711)

    event = one_event()
    assert (event.event_class, event.exception_type, event.code) == (
        "app_error",
        "ValueError",
        "shop.orders",
    )
    assert event.call_site.endswith("test_application_errors:place_order")
    assert "prompt was" not in str(event)


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        ("Cannot reach the cache", (), "Cannot reach the cache"),
        ("Order %s of %s failed", (4711, "ana"), "Order %s of %s failed"),
    ],
)
def test_template_is_told_and_arguments_are_not(one_event, text, arguments, told):
    if arguments:
        log.error(text, *arguments)
    else:
        log.error("Cannot reach the cache")

    assert one_event().message == told


def test_text_that_was_made_at_run_time_is_left_out(one_event):
    completion = "secret words"

    log.error(f"Bad answer: {completion}")  # noqa: G004 - what applications do

    assert one_event().message == "(text left out: it may quote a prompt)"


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING])
def test_lower_levels_leave_nothing(events, level):
    log.log(level, "all is well")

    assert events() == []


def test_logger_that_is_off_leaves_nothing(events, monkeypatch):
    monkeypatch.setattr(log, "disabled", True)

    log.error("nobody wants to know")

    assert events() == []


@pytest.mark.parametrize(
    "name", ["openai._base_client", "LiteLLM", "urllib3.connectionpool", "ddtrace"]
)
def test_what_client_libraries_log_is_left_to_the_call(events, name):
    logging.getLogger(name).error("retrying")

    assert events() == []


@pytest.mark.parametrize("kind", [OrderError, ValueError])
def test_exception_that_is_logged_twice_on_its_way_is_one_event(events, kind):
    def inner():
        try:
            place_order(kind("x"))
        except kind:
            log.exception("inner")
            raise

    try:
        inner()
    except kind:
        log.exception("outer")

    assert len(events()) == 1


def test_group_of_failures_that_are_known_is_no_event_of_its_own(events):
    refused = OrderError("429")
    failures.read(refused)

    try:
        place_order(ExceptionGroup("tasks", [refused, ExceptionGroup("more", [refused])]))
    except ExceptionGroup:
        log.exception("tasks failed")

    assert events() == []


def test_group_with_a_failure_that_is_new_is_an_event(one_event):
    refused = OrderError("429")
    failures.read(refused)

    try:
        place_order(ExceptionGroup("tasks", [refused, OrderError("new")]))
    except ExceptionGroup:
        log.exception("tasks failed")

    assert one_event().exception_type == "ExceptionGroup"


QUIET = """
import sys, threading
import flask, logging
logging.getLogger("shop").warning("all is well")
brought = [name for name in sys.modules if name == "sqlite3" or name.endswith("storage.outbox")]
print(brought, threading.active_count())
"""


def test_program_without_a_failure_has_no_outbox_and_no_thread_of_ours(home):
    pytest.importorskip("flask")
    done = run_python("-c", QUIET, home=home)

    assert done.stdout.strip() == "[] 1"
    assert not (home / "outbox").exists()


@pytest.mark.parametrize("kind", [OrderError, ValueError])
def test_failures_in_a_loop_are_counted_each(events, kind):
    for number in range(5):
        try:
            place_order(kind(number))
        except kind:
            log.exception("failed")

    assert len(events()) == 5


@pytest.mark.parametrize("kind", [OrderError, ValueError])
def test_logged_and_then_caught_by_nobody_is_one_event(events, kind):
    try:
        try:
            place_order(kind("x"))
        except kind:
            log.exception("failed")
            raise
    except kind as error:
        sys.excepthook(kind, error, error.__traceback__)

    assert len(events()) == 1


def test_error_that_a_provider_failure_caused_is_no_event_of_its_own(events):
    refused = OrderError("429")
    failures.read(refused)
    wrapped = ValueError("no order")
    wrapped.__cause__ = refused

    try:
        place_order(wrapped)
    except ValueError:
        log.exception("no order")

    assert events() == []


def test_line_about_a_failure_that_was_caught_and_is_known_is_no_event(events):
    refused = OrderError("429")
    failures.read(refused)

    try:
        place_order(refused)
    except OrderError as error:
        log.error("No order: %s", error)  # noqa: TRY400 - what applications do

    assert events() == []


@pytest.mark.parametrize("kind", [OrderError, ValueError])
def test_line_about_a_failure_and_the_failure_itself_are_one_event(one_event, kind):
    def order():
        try:
            place_order(kind("x"))
        except kind:
            log.error("No order for %s", "ana")  # noqa: TRY400 - what applications do
            raise

    try:
        order()
    except kind:
        log.exception("failed")

    assert one_event().message == "No order for %s"


def test_line_that_is_logged_below_the_handling_of_a_known_failure_is_an_event(one_event):
    def recover():
        log.error("Cannot reach the spare, either")

    refused = OrderError("429")
    failures.read(refused)

    try:
        place_order(refused)
    except OrderError:
        recover()

    assert one_event().message == "Cannot reach the spare, either"


def test_thread_that_dies_leaves_an_event(one_event):
    thread = threading.Thread(target=place_order, args=(OrderError("x"),))
    thread.start()
    thread.join()

    assert one_event().exception_type == "OrderError"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_ending_on_purpose_is_no_failure(events, error):
    sys.excepthook(type(error), error, None)

    assert events() == []


def test_typing_error_at_a_prompt_is_no_failure(events, monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)

    sys.excepthook(OrderError, OrderError("x"), None)

    assert events() == []


def test_hook_that_was_there_is_called_and_its_fault_is_its_own(home, events, monkeypatch):
    def theirs(*_):
        raise RuntimeError("theirs")

    from anchor_autopatch.host.dependencies import applications

    with pytest.raises(RuntimeError, match="theirs"):
        applications.excepthook(theirs)(OrderError, OrderError("x"), None)

    assert len(events()) == 1


def test_handler_sees_the_record_as_without_us(caplog):
    with caplog.at_level(logging.ERROR):
        log.error("seen %s", "so")

    (record,) = caplog.records
    assert (record.getMessage(), record.funcName) == (
        "seen so",
        "test_handler_sees_the_record_as_without_us",
    )


def test_fault_of_ours_never_reaches_the_logger(monkeypatch, caplog):
    monkeypatch.setattr(failures, "record_application", None)

    log.error("still said")

    assert "still said" in caplog.text


APPLICATION = """
import flask, sys
app = flask.Flask("shop")

@app.route("/")
def index():
    raise LookupError("no such order")

app.test_client().get("/")
raise OSError("the disk is gone")
"""


def test_failed_request_and_the_end_of_the_program_are_told(home, events):
    pytest.importorskip("flask")
    done = run_python("-c", APPLICATION, home=home, check=False)

    found = [(each.exception_type, each.code, each.call_site) for each in events()]
    assert found == [
        ("LookupError", "shop", "__main__:index"),
        ("OSError", None, "__main__:<module>"),
    ]
    assert "the disk is gone" in done.stderr


def test_nothing_is_hooked_where_it_is_switched_off(home, events):
    pytest.importorskip("flask")
    run_python("-c", APPLICATION, home=home, check=False, ANCHOR_ERRORS="0")

    assert events() == []
