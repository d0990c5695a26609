"""What `anchor.toml` asks of attributions: read forgivingly, judged strictly."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.core.policy import Policy, mode_of, read_policy, violations
from anchor_autopatch.core.policy.locating import locate
from anchor_autopatch.core.policy.records import Inbound, Override, Rule
from anchor_autopatch.core.records import Attribution

WHOLE = """
[policy]
mode = "quarantine"
required = ["team", "service"]

[policy.modes]
production = "reject"
staging = "report"

[[policy.override]]
environment = "production"
service = "importer"
mode = "report"
until = 2027-01-31
reason = "moves to the new gateway in January"

[vocabulary]
teams = ["search", "support"]

[teams]
search = "Search & Discovery"

[[rule]]
route = "/v1/chat/*"
team = "search"

[inbound]
trusted_networks = ["10.0.0.0/8", "::1", "unix"]
max_age_seconds = 60
user_id = "session:user.id"
request_id_header = "X-Request-Id"

[outbound]
gateways = ["LLM-Gateway.internal:4000"]

[opentelemetry]
span_attributes = true
"""
END_OF_JANUARY_31 = 1_801_353_600_000_000


def policy_of(text):
    return read_policy(tomllib.loads(text))[0]


def problems_of(text):
    return read_policy(tomllib.loads(text))[1]


class TestReading:
    def test_empty_file_asks_for_nothing(self):
        assert read_policy({}) == (Policy(labels={"team": {}, "service": {}}), [])

    def test_every_section_is_read(self):
        policy, problems = read_policy(tomllib.loads(WHOLE))

        assert problems == []
        assert policy == Policy(
            mode="quarantine",
            modes={"production": "reject", "staging": "report"},
            overrides=(
                Override(
                    "report",
                    END_OF_JANUARY_31,
                    "production",
                    None,
                    "importer",
                    "moves to the new gateway in January",
                ),
            ),
            required=("team", "service"),
            vocabularies={"team": frozenset(("search", "support"))},
            rules=(Rule({"route": "/v1/chat/*"}, {"team": "search"}),),
            inbound=Inbound(
                ("10.0.0.0/8", "::1/128", "unix"), 60, ("session", "user.id"), "x-request-id"
            ),
            gateways=frozenset(("llm-gateway.internal:4000",)),
            span_attributes=True,
            labels={"team": {"search": "Search & Discovery"}, "service": {}},
        )

    @pytest.mark.parametrize(
        ("text", "path", "said"),
        [
            ("policy = 1", "policy", "1 is no table"),
            ("[policy]\nmod = 'report'", "policy.mod", "did you mean 'mode'?"),
            ("[policy]\nmode = 'rejcet'", "policy.mode", "'rejcet' is unknown"),
            ("[policy.modes]\nprod = 3", "policy.modes.prod", "3 is unknown"),
            ("[policy]\nrequired = ['taem']", "policy.required.0", "did you mean 'team'?"),
            ("[policy]\nrequired = 'team'", "policy.required", "is no array"),
            ("[[policy.override]]\nmode = 'report'\nreason = 'x'", "policy.override.0", "date"),
            (
                "[[policy.override]]\nmode = 'report'\nreason = 'x'\nuntil = 'soon'",
                "policy.override.0.until",
                "'soon' is no date",
            ),
            ("[[policy.override]]\nuntil = 2027-01-01", "policy.override.0", "needs a mode"),
            ("[policy.override]\nmode = 'report'", "policy.override", "[[policy.override]]"),
            ("[vocabulary]\nteam = ['a']", "vocabulary.team", "did you mean 'teams'?"),
            ("[vocabulary]\nteams = []", "vocabulary.teams", "allows nothing"),
            ("[vocabulary]\nteams = ['a', 7]", "vocabulary.teams.1", "7 is no text"),
            ("[teams]\na = 1", "teams.a", "1 is no text"),
            ("[[rule]]\nteam = 'a'", "rule.0", "needs a condition"),
            ("[[rule]]\nroute = '/'", "rule.0", "needs something to give"),
            ("[[rule]]\nrout = '/'\nteam = 'a'", "rule.0.rout", "did you mean 'route'?"),
            (
                "[inbound]\ntrusted_networks = ['10.0.0.1/8']",
                "inbound.trusted_networks.0",
                "host bits",
            ),
            ("[inbound]\nmax_age_seconds = 0", "inbound.max_age_seconds", "0 is no whole number"),
            ("[inbound]\nmax_age_seconds = true", "inbound.max_age_seconds", "True is no whole"),
            ("[inbound]\nuser_id = 'uid'", "inbound.user_id", "'place:name'"),
            ("[inbound]\nrequest_id_header = 'x y'", "inbound.request_id_header", "no header"),
            ("[outbound]\ngateways = ['https://a/']", "outbound.gateways.0", "without scheme"),
            (
                "[outbound]\ngateways = ['api.openai.com']",
                "outbound.gateways.0",
                "of openai itself",
            ),
            (
                "[outbound]\ngateways = ['r.openai.azure.com:443']",
                "outbound.gateways.0",
                "of azure itself",
            ),
            ("[opentelemetry]\nspan_attributes = 1", "opentelemetry.span_attributes", "neither"),
        ],
    )
    def test_problem_names_place_value_and_mend(self, text, path, said):
        found = [".".join(map(str, told.path)) + " " + told.text for told in problems_of(text)]

        assert [each for each in found if each.startswith(f"{path} ") and said in each]

    @pytest.mark.parametrize(
        "text",
        [
            "[[rule]]\nroute = 7\ncall_site = 'a:*'\nteam = 'a'",
            "[[rule]]\nroute = '/'\nteam = 'a'\nservice = 7",
        ],
    )
    def test_rule_that_is_half_readable_is_left_out(self, text):
        assert policy_of(text).rules == ()

    def test_override_with_unreadable_selector_is_left_out(self):
        text = "[[policy.override]]\nmode='report'\nreason='x'\nuntil=2027-01-01\nservice=1"

        assert policy_of(text).overrides == ()

    def test_vocabulary_with_unreadable_word_allows_all(self):
        assert policy_of("[vocabulary]\nteams = ['a', 7]").vocabularies == {}

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text() | st.dates() | st.datetimes(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ).flatmap(
            lambda value: st.dictionaries(
                st.sampled_from(
                    ["policy", "vocabulary", "teams", "rule", "inbound", "outbound",
                     "opentelemetry"]
                ),
                st.just(value)
                | st.dictionaries(
                    st.sampled_from(
                        ["mode", "modes", "override", "required", "teams", "trusted_networks",
                         "user_id", "gateways", "span_attributes", "max_age_seconds"]
                    ),
                    st.just(value) | st.lists(st.just(value)),
                ),
            )
        )
    )  # fmt: skip
    def test_nothing_in_the_file_makes_the_reader_raise(self, config):
        policy, _ = read_policy(config)

        assert isinstance(policy, Policy)


class TestJudging:
    def test_missing_required_field_is_a_violation(self):
        policy = policy_of("[policy]\nrequired = ['team', 'service']")

        (found,) = violations(policy, Attribution(service="bot"))

        assert found.text == "'team' is missing"

    def test_value_outside_its_vocabulary_is_a_violation(self):
        policy = policy_of("[vocabulary]\nenvironments = ['production', 'staging']")

        (found,) = violations(policy, Attribution(environment="prodd"))

        assert found.text == "'environment' is 'prodd' (known: production, staging)"

    def test_field_that_nobody_gave_is_in_every_vocabulary(self):
        assert violations(policy_of("[vocabulary]\nteams = ['a']"), Attribution()) == ()

    @pytest.mark.parametrize(
        ("who", "mode"),
        [
            (Attribution(environment="production"), "reject"),
            (Attribution(environment="staging"), "report"),
            (Attribution(environment="prodd"), "quarantine"),
            (Attribution(), "quarantine"),
        ],
    )
    def test_environment_chooses_the_mode(self, who, mode):
        assert mode_of(policy_of(WHOLE), who, END_OF_JANUARY_31) == mode

    @pytest.mark.parametrize(
        ("service", "now_us", "mode"),
        [
            ("importer", END_OF_JANUARY_31 - 1, "report"),
            ("importer", END_OF_JANUARY_31, "reject"),
            ("bot", END_OF_JANUARY_31 - 1, "reject"),
        ],
    )
    def test_override_holds_until_it_expires(self, service, now_us, mode):
        who = Attribution(environment="production", service=service)

        assert mode_of(policy_of(WHOLE), who, now_us) == mode


class TestLocating:
    @pytest.mark.parametrize(
        ("path", "line"),
        [
            (("policy", "mode"), 3),
            (("policy", "required", 1), 4),
            (("policy", "modes", "staging"), 8),
            (("policy", "override", 0), 10),
            (("policy", "override", 0, "until"), 14),
            (("vocabulary", "teams", 1), 18),
            (("rule", 0, "team"), 25),
            (("rule", 0, "nothing"), 23),
            (("nowhere",), None),
        ],
    )
    def test_key_is_found_on_its_line(self, path, line):
        assert locate(WHOLE, path) == line

    def test_second_table_of_an_array_has_its_own_line(self):
        text = "[[rule]]\nroute = 'a'\n\n[[rule]] # second\n'route' = 'b'\n"

        assert (locate(text, ("rule", 0, "route")), locate(text, ("rule", 1, "route"))) == (2, 5)

    def test_dotted_and_quoted_keys_are_found(self):
        text = "policy.mode = 'report'\n[hosts]\n\"a.b:1\" = 'sdk'\n"

        assert locate(text, ("policy", "mode")) == 1
        assert locate(text, ("hosts", "a.b:1")) == 3
