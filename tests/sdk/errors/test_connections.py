"""A provider that has no address, or whose certificate nobody trusts: no connection, one event."""

from __future__ import annotations

import shutil
import ssl
import subprocess

import pytest

from tests.sdk.raw.server import Server

# LiteLLM warns while it works: clients and tasks that outlive their loop.
pytestmark = pytest.mark.filterwarnings("ignore")
ASK = [{"role": "user", "content": "hello there"}]
# RFC 6761, 6.4: a name that no resolver may know.
NOWHERE = "https://provider.invalid"


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory):
    """The URL of a server that signed its certificate itself."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, which makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    wanted = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run(
        ["openssl", "req", *wanted, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
        timeout=120,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Server(tls=context) as server:
        yield server.url


def by_openai(url):
    import openai

    with openai.OpenAI(api_key="sk-test", base_url=f"{url}/v1", max_retries=0) as client:
        client.chat.completions.create(model="gpt-4o", messages=ASK)


def by_anthropic(url):
    import anthropic

    with anthropic.Anthropic(api_key="k", base_url=url, max_retries=0) as client:
        client.messages.create(model="claude-3", max_tokens=9, messages=ASK)


def by_gemini(url):
    from google import genai

    with genai.Client(api_key="k", http_options={"base_url": url}) as client:
        client.models.generate_content(model="gemini-2.5-flash", contents="hello")


def by_bedrock(url):
    boto3 = pytest.importorskip("boto3")
    from botocore.config import Config

    client = boto3.client(
        "bedrock-runtime",
        region_name="eu-west-1",
        endpoint_url=url,
        aws_access_key_id="AKIATEST",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        client.converse(
            modelId="amazon.nova-lite-v1:0",
            messages=[{"role": "user", "content": [{"text": "Hi"}]}],
        )
    finally:
        client.close()


def by_litellm(route):
    def ask(url):
        litellm = pytest.importorskip("litellm")
        litellm.completion(
            model=route, messages=ASK, api_base=url, api_key="k", max_retries=0, num_retries=0
        )

    return ask


SDKS = {
    "openai": by_openai,
    "anthropic": by_anthropic,
    "gemini": by_gemini,
    "bedrock": by_bedrock,
    "litellm-openai": by_litellm("openai/gpt-4o"),
    "litellm-anthropic": by_litellm("anthropic/claude-x"),
}
each_sdk = pytest.mark.parametrize("ask", SDKS.values(), ids=SDKS)


@pytest.fixture(autouse=True)
def _at_hand(home, monkeypatch):
    """LiteLLM is to fetch no price table."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")


@each_sdk
def test_name_without_an_address_is_no_connection(one_event, receipts, incidents, ask):
    with pytest.raises(Exception):  # noqa: B017, PT011 - each SDK has its own
        ask(NOWHERE)

    assert (one_event().event_class, one_event().http_status) == ("network", None)
    assert incidents() == [("network", "warning")]
    # Nothing left this machine.
    assert receipts() == []


@each_sdk
def test_certificate_that_nobody_trusts_is_no_connection(untrusted, one_event, receipts, ask):
    with pytest.raises(Exception):  # noqa: B017, PT011 - each SDK has its own
        ask(untrusted)

    assert (one_event().event_class, one_event().http_status) == ("network", None)
    assert receipts() == []
