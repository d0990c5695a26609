"""Who a request or task is for: headers that are trusted, its route, its user, its submitter."""

from __future__ import annotations

import gc
import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anchor_autopatch import attribute, current
from anchor_autopatch.core.signatures import Signed, sign
from anchor_autopatch.host import context
from anchor_autopatch.host.attribution import headers, rejections
from anchor_autopatch.host.attribution.inbound import Facts
from anchor_autopatch.host.request_context import Request
from tests.host.support import bytes_of, read_outboxes, run_python

SECRET = "a-secret-of-the-gateway"
TRUSTED = '[inbound]\ntrusted_networks = ["10.0.0.0/8", "fd00::/8", "unix"]\n'


@pytest.fixture(autouse=True)
def _fresh(home):
    headers.forget()
    yield
    headers.forget()


def request(sent=None, **facts):
    return Request(header=(sent or {}).get, **{"method": "POST", "path": "/chat"} | facts)


def sources(who):
    return json.loads(who.attribution_source or "{}")


def signed(sent, *, method="POST", path="/chat", expires=None, key="k1", secret=SECRET):
    expires = int(time.time()) + 60 if expires is None else expires
    return {
        **sent,
        headers.SIGNATURE_HEADER: sign(key, secret.encode(), Signed(method, path, sent), expires),
    }


OWNER = {"x-owner-team": "search", "x-owner-request-id": "req-1"}


class TestTrust:
    @pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::7%eth0", "unix"])
    def test_header_of_a_trusted_peer_counts(self, policy, peer):
        policy(TRUSTED)

        with request({**OWNER, "x-owner-product": "bot", "x-owner-env": "staging"}, peer=peer):
            who = current()

        assert (who.team, who.service, who.environment, who.request_id) == (
            "search",
            "bot",
            "staging",
            "req-1",
        )
        assert sources(who)["team"] == "header"

    @pytest.mark.parametrize("peer", ["192.0.2.1", "::1", "", None, "nonsense", "10.1.2.3.4"])
    def test_header_of_anybody_else_does_not(self, policy, peer):
        policy(TRUSTED)

        with request(OWNER, peer=peer):
            assert current().team is None

        assert rejections.counts == {"untrusted": 1}

    def test_no_policy_trusts_nobody(self):
        with request(OWNER, peer="127.0.0.1"):
            assert current().team is None

    def test_trace_of_a_stranger_is_no_attempt(self, policy):
        policy(TRUSTED)

        with request({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, peer="192.0.2.1"):
            assert current().trace_id is None

        assert rejections.counts == {}


class TestSignature:
    @pytest.fixture(autouse=True)
    def _keys(self, monkeypatch):
        monkeypatch.setenv("ANCHOR_HEADER_KEYS", f"k1={SECRET},k2={SECRET[::-1]}")
        headers.forget()

    def test_signed_header_counts(self):
        with request(signed(OWNER), peer="192.0.2.1"):
            assert (current().team, current().request_id) == ("search", "req-1")

    def test_second_key_is_good_while_keys_change(self):
        with request(signed(OWNER, key="k2", secret=SECRET[::-1])):
            assert current().team == "search"

    @pytest.mark.parametrize(
        ("sent", "reason"),
        [
            (lambda: {**signed(OWNER), "x-owner-team": "support"}, "invalid"),
            (lambda: {**signed(OWNER), "x-owner-request-id": "req-2"}, "invalid"),
            (lambda: {**signed(OWNER), "baggage": "owner.team=support"}, "invalid"),
            (lambda: signed(OWNER, path="/other"), "invalid"),
            (lambda: signed(OWNER, method="GET"), "invalid"),
            (lambda: signed({"x-owner-team": "search"}), "invalid"),
            (lambda: signed(OWNER, secret="another-secret-of-16"), "invalid"),
            (lambda: signed(OWNER, key="k9"), "unknown key"),
            (lambda: signed(OWNER, expires=int(time.time()) - 1), "expired"),
            (lambda: signed(OWNER, expires=int(time.time()) + 999), "expired"),
            (lambda: signed(OWNER, expires=10**11), "expired"),
            (lambda: {**OWNER, "x-owner-signature": "v1.k1.5." + "0" * 64}, "invalid"),
            (lambda: {**OWNER, "x-owner-signature": "v2.k1"}, "invalid"),
            (lambda: {**OWNER, "x-owner-signature": "\udcff" * 9}, "invalid"),
            (lambda: signed({**OWNER, "x-owner-team": "a\nb"}), "invalid"),
        ],
    )
    def test_forged_expired_and_transplanted_are_refused(self, sent, reason):
        with request(sent(), peer="192.0.2.1"):
            assert current().team is None

        assert rejections.counts == {reason: 1}

    def test_unreadable_keys_trust_nobody(self, monkeypatch):
        monkeypatch.setenv("ANCHOR_HEADER_KEYS", "k1=short")
        headers.forget()

        with request(signed(OWNER, secret="short")):
            assert current().team is None


class TestValues:
    @pytest.mark.parametrize(
        "value",
        [
            "", "a b", "a\r\nx-evil: 1", "a\x00", "\u202eevil", "é", "\udc80", "a" * 65, "<b>",
            "a" * 1_000_000, "${jndi}", "sk-abcdefghijklmnop1234", "a\n",
        ],
    )  # fmt: skip
    def test_other_characters_are_never_stored(self, policy, value):
        policy(TRUSTED)

        with request({"x-owner-team": value, "x-owner-request-id": value}, peer="unix"):
            who = current()

        assert who.team is None
        assert len(who.request_id) == 36

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from([*headers.FIELDS, "x-owner-request-id", "baggage", "traceparent"]),
            st.text(st.characters(exclude_categories=()))
            | st.binary().map(lambda sent: sent.decode("latin-1")),
        ),
        st.text(),
    )  # fmt: skip
    def test_no_header_raises_or_is_stored_raw(self, policy, sent, path):
        policy(TRUSTED)

        with request(sent, peer="10.0.0.1", path=path), attribute(feature=path):
            who = current()

        allowed = headers._PLAIN.fullmatch
        assert all(value is None or allowed(value) for value in (who.team, who.service))
        assert allowed(who.request_id)
        json.dumps(who).encode()

    def test_thousand_values_a_field_then_other(self, policy):
        policy(TRUSTED)
        teams = set()

        for number in range(1_100):
            with request(
                {"x-owner-team": f"t{number}", "x-owner-request-id": f"r{number}"}, peer="unix"
            ):
                who = current()
            teams.add(who.team)
            assert who.request_id == f"r{number}"

        assert len(teams) == 1_001
        assert "__other__" in teams
        assert rejections.counts == {"too many": 100}

    def test_cap_is_not_for_what_code_says(self, policy):
        policy(TRUSTED)

        teams = set()
        for number in range(1_100):
            with request(peer="unix"), attribute(team=f"t{number}"):
                teams.add(current().team)

        assert len(teams) == 1_100

    @pytest.mark.parametrize(
        ("baggage", "team"),
        [
            ("owner.team=search", "search"),
            (" other=1 , owner.team = search ;p=1,owner.env=x", "search"),
            ("owner.team=se%61rch", "search"),
            ("owner.team=se%20arch", None),
            ("owner.team=%ff%fe", None),
            ("owner.team", None),
            (",,,=,;", None),
            ("a=b," * 5_000 + "owner.team=late", None),
        ],
    )
    def test_baggage_is_read_as_its_standard_says(self, policy, baggage, team):
        policy(TRUSTED)

        with request({"baggage": baggage}, peer="unix"):
            assert current().team == team

    def test_header_outranks_baggage(self, policy):
        policy(TRUSTED)

        with request({"x-owner-team": "header", "baggage": "owner.team=bag"}, peer="unix"):
            assert current().team == "header"

    @pytest.mark.parametrize(
        ("traceparent", "trace_id"),
        [
            (f"00-{'a' * 32}-{'b' * 16}-01", "a" * 32),
            (f"01-{'a' * 32}-{'b' * 16}-01-more", "a" * 32),
            (f"ff-{'a' * 32}-{'b' * 16}-01", None),
            (f"00-{'0' * 32}-{'b' * 16}-01", None),
            (f"00-{'a' * 32}-{'0' * 16}-01", None),
            (f"00-{'A' * 32}-{'b' * 16}-01", None),
            ("00-" + "a" * 1_000_000, None),
        ],
    )
    def test_traceparent_is_read_as_its_standard_says(self, policy, traceparent, trace_id):
        policy(TRUSTED)

        with request({"traceparent": traceparent}, peer="unix"):
            assert current().trace_id == trace_id


class TestOrder:
    def test_code_outranks_header_outranks_rule_outranks_environment(self, policy, monkeypatch):
        for name in ("TEAM", "SERVICE", "FEATURE", "ENVIRONMENT"):
            monkeypatch.setenv(f"ANCHOR_{name}", "environment")
        rule = "[[rule]]\nroute = '/chat'\nteam = 'rule'\nservice = 'rule'\nfeature = 'rule'\n"
        policy(TRUSTED + rule)
        sent = {"x-owner-team": "header", "x-owner-product": "header"}

        with request(sent, peer="unix", route="/chat"), attribute(team="code"):
            who = current()

        assert who[:4] == ("code", "header", "rule", "environment")
        assert sources(who) == {
            "team": "code",
            "service": "header",
            "feature": "rule",
            "environment": "environment",
            "request_id": "request",
        }

    def test_route_template_is_the_feature_where_nobody_says_another(self, monkeypatch):
        with request(route="/users/{id}"):
            who = current()
        monkeypatch.setenv("ANCHOR_FEATURE", "search")
        context.forget_environment()
        with request(route="/users/{id}"):
            other = current()

        assert (who.feature, sources(who)["feature"]) == ("/users/{id}", "route")
        assert other.feature == "search"

    def test_route_that_is_matched_late_is_asked_for_again(self):
        found = []
        one = request(route=lambda: found[0] if found else None)

        with one:
            before = current()
            found.append("/users/{id}")
            after = current()

        assert (before.feature, after.feature) == (None, "/users/{id}")
        assert before.request_id == after.request_id

    def test_binding_around_a_server_serves_each_request(self):
        with attribute(team="search"):
            ids = []
            for number in range(3):
                with request(request_id=f"r{number}"):
                    ids.append((current().team, current().request_id))
            outside = current()

        assert ids == [("search", "r0"), ("search", "r1"), ("search", "r2")]
        assert outside.request_id is None

    def test_facts_that_raise_cost_only_themselves(self, policy):
        policy(TRUSTED + 'user_id = "session:uid"\nrequest_id_header = "x-request-id"\n')

        def broken(*_):
            raise RuntimeError

        with Request(header=broken, route=broken, lookup=broken, task="t", peer="unix"):
            who = current()

        assert (who.feature, len(who.request_id)) == (None, 36)


class TestUser:
    def test_user_is_taken_only_where_the_policy_names_a_place(self, policy):
        found = {("session", "uid"): 42}

        with request(lookup=lambda *place: found.get(place)):
            assert current().user_id is None
        policy('[inbound]\nuser_id = "session:uid"\n')
        with request(lookup=lambda *place: found.get(place)):
            assert (current().user_id, sources(current())["user_id"]) == ("42", "request")

    def test_user_who_logs_in_late_is_found(self, policy):
        policy('[inbound]\nuser_id = "user:pk"\n')
        found = []

        with request(lookup=lambda *_: found[0] if found else None):
            before = current().user_id
            found.append("u1")
            assert (before, current().user_id) == (None, "u1")

    @pytest.mark.parametrize(("peer", "user"), [("unix", "u-1"), ("192.0.2.1", None)])
    def test_user_header_needs_a_trusted_sender(self, policy, peer, user):
        policy(TRUSTED + 'user_id = "header:X-User"\n')

        with request({"x-user": "u-1"}, peer=peer):
            assert current().user_id == user

    def test_signature_does_not_cover_a_header_that_is_not_signed(self, policy, monkeypatch):
        monkeypatch.setenv("ANCHOR_HEADER_KEYS", f"k1={SECRET}")
        policy('[inbound]\nuser_id = "header:x-user"\n')

        with request(signed(OWNER) | {"x-user": "u-1"}):
            assert (current().team, current().user_id) == ("search", None)

    def test_signed_user_header_counts(self, policy, monkeypatch):
        monkeypatch.setenv("ANCHOR_HEADER_KEYS", f"k1={SECRET}")
        policy('[inbound]\nuser_id = "header:x-owner-user"\n')

        with request(signed({**OWNER, "x-owner-user": "u-1"})):
            assert current().user_id == "u-1"

    @pytest.mark.slow
    def test_hundred_thousand_users_are_kept_apart_in_little_memory(self, policy):
        import tracemalloc

        policy('[inbound]\nuser_id = "session:uid"\n')
        seen = 0

        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(100_000):
            with request(lookup=lambda *_, number=number: f"user-{number}"):
                seen += current().user_id == f"user-{number}"
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()

        assert seen == 100_000
        assert grown < 10 * 1024 * 1024


class TestTasks:
    def test_task_keeps_who_submitted_it(self, policy):
        policy(TRUSTED)
        with request(OWNER, peer="unix", route="/buy"), attribute(user_id="u1", plan="pro"):
            carried = context.carried()

        with Request("task", task="jobs.sum", request_id="task-1", carried=carried):
            who = current()

        assert (who.team, who.user_id, who.request_id) == ("search", "u1", "req-1")
        assert (who.feature, json.loads(who.labels)) == ("jobs.sum", {"plan": "pro"})
        assert sources(who)["team"] == "carried"

    def test_task_without_submitter_has_its_own_id(self):
        with Request("task", task="jobs.sum", request_id="task-1"):
            assert (current().request_id, current().feature) == ("task-1", "jobs.sum")

    def test_task_within_a_request_belongs_to_it(self, policy):
        policy(TRUSTED)

        with request(OWNER, peer="unix"), Request("task", task="jobs.sum", request_id="task-1"):
            assert (current().team, current().request_id) == ("search", "req-1")

    @pytest.mark.parametrize(
        "carried",
        [
            {"team": "a\x00b\ud800" * 1000},
            {"labels": "[1]"},
            {"labels": "{"},
            {"team": 7, "x": "y"},
        ],
    )
    def test_message_that_was_tampered_with_does_no_harm(self, carried):
        with Request("task", carried=carried):
            json.dumps(current()).encode()


class TestRules:
    @pytest.mark.parametrize(
        ("rule", "team"),
        [
            ('route = "/chat/*"', "ruled"),
            ('route = "POST /chat/*"', "ruled"),
            ('route = "GET /chat/*"', None),
            ('route = "/chat"', None),
            ('route = "/chat/{id}"', "ruled"),
            ('task = "*"', None),
        ],
    )
    def test_route_decides(self, policy, rule, team):
        policy(f"[[rule]]\n{rule}\nteam = 'ruled'\n")

        with request(route="/chat/{id}"):
            assert current().team == team

    def test_earlier_rule_wins_field_by_field(self, policy):
        policy(
            "[[rule]]\nroute = '/a*'\nteam = 'first'\n"
            "[[rule]]\nroute = '*'\nteam = 'second'\nservice = 'second'\n"
        )

        with request(route="/a"):
            assert (current().team, current().service) == ("first", "second")

    def test_task_name_decides(self, policy):
        policy("[[rule]]\ntask = 'jobs.*'\nteam = 'batch'\n")

        with Request("task", task="jobs.sum"):
            assert current().team == "batch"


class TestRejections:
    def test_refused_headers_are_told_in_few_rows(self, events):
        for _ in range(100):
            with request(OWNER, peer="192.0.2.1"):
                current()

        told = events()
        assert sorted(event.attempts for event in told) == [1, 1, 2, 4, 8, 16, 32]
        assert {(event.event_class, event.code) for event in told} == {
            ("headers_refused", "untrusted")
        }

    def test_rest_is_told_when_the_process_ends(self, home):
        script = (
            "from anchor_autopatch import current\n"
            "from anchor_autopatch.host.request_context import Request\n"
            "for _ in range(100):\n"
            "    with Request(header={'x-owner-team': 'search'}.get): current()\n"
        )

        run_python("-c", script, home=home)

        told = read_outboxes(home)[1]
        assert sum(event.attempts for event in told) == 100

    def test_refused_value_is_nowhere_on_disk(self, home, policy):
        policy(TRUSTED)

        with request({"x-owner-team": "evil value " * 9}, peer="unix"):
            current()

        assert rejections.counts == {"value": 1}
        assert b"evil value" not in bytes_of(home)


def test_attribution_of_a_request_dies_with_it(policy):
    policy(TRUSTED)
    gc.collect()
    gc.disable()
    before = sum(type(known) is Facts for known in gc.get_objects())

    with request(OWNER, peer="10.1.2.3"):
        current()
    after = sum(type(known) is Facts for known in gc.get_objects())
    gc.enable()

    assert after == before
