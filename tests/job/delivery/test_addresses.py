"""Webhooks lead nowhere but to public hosts, unless the policy says so; not even by a trick."""

from __future__ import annotations

import pytest

from anchor_autopatch.core.alerting.addresses import Refused, look_at
from anchor_autopatch.core.alerting.rules import Sink
from anchor_autopatch.job.delivery.sending import Sender
from tests.job.delivery.support import Alerted
from tests.job.incidents.support import START

PRIVATE = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://localhost/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://10.0.0.1/",
    "https://10.255.255.255:8443/hook",
    "https://172.16.0.1/",
    "https://172.31.255.254/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://[fd00::1]/",
    "https://[fc00::1]/",
]
NEVER = [
    "https://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254/",
    "https://[fd00:ec2::254]/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://[fe80::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://2852039166/",
    "https://0.0.0.0/",
    "https://[::]/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[ff02::1]/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "//example.com/",
    "https:///",
    "https://user:pass@example.com/",
    "https://example.com\\@10.0.0.1/",
    "https://example.com/a b",
    "https://example.com:99999/",
    "https://example.com/\r\nX: y",
    "https://[half/",
    "https://example.com/ä",
]


def literal(host, port):
    """The system's resolver for what is an address already; every name is a public host."""
    import socket

    if host == "localhost":
        return ["127.0.0.1"]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return ["93.184.216.34"]
    return [each[4][0] for each in found]


@pytest.mark.parametrize("url", PRIVATE)
def test_own_network_is_refused_unless_allowed(url):
    with pytest.raises(Refused):
        look_at(url, allow_private=False, resolver=literal)

    assert look_at(url, allow_private=True, resolver=literal).address


@pytest.mark.parametrize("url", NEVER)
def test_what_no_alert_may_reach_is_always_refused(url):
    with pytest.raises(Refused):
        look_at(url, allow_private=True, resolver=literal)


def test_plain_http_is_refused_unless_allowed():
    with pytest.raises(Refused, match="https"):
        look_at("http://example.com/", allow_private=False, resolver=literal)

    assert look_at("http://example.com/", allow_private=True, resolver=literal).port == 80


def test_public_host_is_pinned_to_the_address_that_was_looked_at():
    target = look_at("https://example.com/hook?a=1", allow_private=False, resolver=literal)

    assert target == ("https", "example.com", 443, "93.184.216.34", "/hook?a=1")


def test_one_bad_address_among_good_ones_is_refused():
    with pytest.raises(Refused):
        look_at(
            "https://mixed.example/",
            allow_private=False,
            resolver=lambda *_: ["93.184.216.34", "10.0.0.7"],
        )


def test_name_that_turns_inward_later_is_asked_only_once(tmp_path, sink):
    asked = []

    def rebinding(host, _port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) > 1 else ["192.0.2.77"]

    port = sink.server.server_port
    inward = Sink("ops", "webhook", url=f"https://rebind.example:{port}/")
    alerted = Alerted(tmp_path, [inward])
    alerted.fail()
    sender = Sender(alerted.settings.alerts, {}, rebinding)

    outcomes = []
    for _ in range(2):
        alerted.within(lambda store: outcomes.append(sender.prove(store, inward, START)))

    assert [outcome.outcome for outcome in outcomes] == ["refused", "refused"]
    assert (asked, sink.received) == (["rebind.example"] * 2, [])


def test_sink_without_permission_gets_nothing(tmp_path, sink):
    alerted = Alerted(tmp_path, [Sink("ops", "webhook", url=sink.url)])
    alerted.fail()
    alerted.send(minutes=1)

    assert sink.received == []
    assert "allow_private" in alerted.deliveries()[0].last_error
