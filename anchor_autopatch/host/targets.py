"""The tables of what is patched.

Module that triggers it, from which version, by which of our modules.

Read at start-up, so it holds plain tuples and imports nothing.
"""

from __future__ import annotations


class Target:
    """One SDK.

    Its trigger module, the module of ours that patches it, the oldest version that works.
    """

    __slots__ = ("distribution", "minimum", "name", "patcher", "tested", "trigger")

    def __init__(
        self, name: str, trigger: str, patcher: str, distribution: str, minimum: str, tested: str
    ) -> None:
        self.name = name
        self.trigger = trigger
        self.patcher = patcher
        self.distribution = distribution
        self.minimum = minimum
        self.tested = tested


_PROVIDERS = "anchor_autopatch.host.providers."
_CLIENTS = "anchor_autopatch.host.clients."

# The trigger is the module whose end of execution makes the choke point patchable: everything that
# it needs is imported by then, and no client exists yet.
TARGETS = (
    Target("openai", "openai._base_client", _PROVIDERS + "openai.sdk", "openai", "1.30", "3.54"),
    Target(
        "anthropic",
        "anthropic._base_client",
        _PROVIDERS + "anthropic.sdk",
        "anthropic",
        "0.75",
        "2.12",
    ),
    Target(
        "google-genai",
        "google.genai._api_client",
        _PROVIDERS + "google.sdk",
        "google-genai",
        "1.10",
        "3.4",
    ),
    Target(
        "google-genai",
        "google.genai._gaos.basesdk",
        _PROVIDERS + "google.interactions",
        "google-genai",
        "2.0",
        "3.4",
    ),
    Target("litellm", "litellm.utils", _PROVIDERS + "litellm", "litellm", "1.70", "1.109"),
    Target(
        "botocore", "botocore.client", _PROVIDERS + "amazon.botocore", "botocore", "1.34", "1.44"
    ),
    Target(
        "aiobotocore",
        "aiobotocore.client",
        _PROVIDERS + "amazon.aiobotocore",
        "aiobotocore",
        "2.5",
        "3.10",
    ),
    Target("groq", "groq._base_client", _PROVIDERS + "groq", "groq", "0.11", "1.7"),
    Target(
        "mistralai",
        "mistralai.client.basesdk",
        _PROVIDERS + "mistral.sdk",
        "mistralai",
        "2.0",
        "3.7",
    ),
    Target("cohere", "cohere.core.http_client", _PROVIDERS + "cohere.sdk", "cohere", "5.0", "7.3"),
    Target("xai-sdk", "xai_sdk.sync.client", _PROVIDERS + "xai_sdk", "xai-sdk", "1.0", "1.21"),
    # The last layer: calls that the application sends to a provider by itself.
    Target("httpx", "httpx._client", _CLIENTS + "httpx", "httpx", "0.23", "0.28"),
    Target("httpx2", "httpx2._client", _CLIENTS + "httpx2", "httpx2", "2.0", "2.16"),
    Target("requests", "requests.sessions", _CLIENTS + "requests", "requests", "2.25", "2.34"),
    Target("aiohttp", "aiohttp.client", _CLIENTS + "aiohttp", "aiohttp", "3.8", "3.14"),
    Target("urllib3", "urllib3.connectionpool", _CLIENTS + "urllib3", "urllib3", "1.26.12", "2.8"),
)

_OPENAI = "openai.resources."

# Modules of those SDKs that are imported on first use, if ever, and hold choke points of their own.
# Their names begin with that of the SDK, whose switch is theirs too.
PARTS = (
    *(
        Target(
            f"openai/{part}",
            _OPENAI + part,
            _PROVIDERS + "openai.realtime",
            "openai",
            "1.60",
            "3.54",
        )
        for part in (
            "realtime.realtime",
            "realtime.translations.translations",
            "beta.realtime.realtime",
            "responses.responses",
            "beta.responses.responses",
            "live.live",
            "live.forks",
            "live.sideband",
        )
    ),
    Target(
        "litellm/native",
        "litellm.rust_bridge.dispatch",
        _PROVIDERS + "litellm.native",
        "litellm",
        "1.70",
        "1.109",
    ),
    Target(
        "litellm/router",
        "litellm.router",
        _PROVIDERS + "litellm.refusals",
        "litellm",
        "1.70",
        "1.109",
    ),
    Target(
        "google-genai/interactions",
        "google.genai._interactions._base_client",
        _PROVIDERS + "google.interactions_v1",
        "google-genai",
        "1.10",
        "1.75",
    ),
    Target(
        "google-genai/retries",
        "google.genai._gaos.utils.retries",
        _PROVIDERS + "speakeasy.retries",
        "google-genai",
        "2.0",
        "3.4",
    ),
    *(
        Target(
            f"mistralai/{module}",
            f"{module}.utils.retries",
            _PROVIDERS + "speakeasy.retries",
            "mistralai",
            "1.0",
            "3.7",
        )
        for module in (
            "mistralai",
            "mistralai.client",
            "mistralai.azure.client",
            "mistralai.gcp.client",
            "mistralai_azure",
            "mistralai_gcp",
        )
    ),
    # Version 1, and the copies of the client for two clouds.
    *(
        Target(f"mistralai/{module}", module, _PROVIDERS + "mistral.sdk", "mistralai", "1.0", "3.7")
        for module in (
            "mistralai.basesdk",
            "mistralai.azure.client.basesdk",
            "mistralai.gcp.client.basesdk",
            "mistralai_azure.basesdk",
            "mistralai_gcp.basesdk",
        )
    ),
    *(
        Target(
            f"mistralai/{part}",
            f"mistralai.extra.realtime.{part}",
            _PROVIDERS + "mistral.realtime",
            "mistralai",
            "1.10",
            "3.7",
        )
        for part in ("connection", "speech")
    ),
    Target(
        "google-genai/files",
        "google.genai.files",
        _PROVIDERS + "google.files",
        "google-genai",
        "1.20",
        "3.4",
    ),
    Target(
        "google-genai/music",
        "google.genai.live_music",
        _PROVIDERS + "google.music",
        "google-genai",
        "1.20",
        "3.4",
    ),
    Target(
        "google-genai/live",
        "google.genai.live",
        _PROVIDERS + "google.live",
        "google-genai",
        "1.10",
        "3.4",
    ),
)

_HOST = "anchor_autopatch.host."
_DEPENDENCIES = _HOST + "dependencies."

# Clients of what else an application depends on; of HTTP clients, `TARGETS` above watch both.
DEPENDENCIES = (
    *(
        Target(name, f"psycopg.{module}", _DEPENDENCIES + "psycopg", "psycopg", "3.1", "3.3")
        for name, module in (
            ("psycopg", "connection"),
            ("psycopg/async", "connection_async"),
        )
    ),
    *(
        Target(
            name,
            f"psycopg_pool.{module}",
            _DEPENDENCIES + "psycopg_pool",
            "psycopg_pool",
            "3.1",
            "3.3",
        )
        for name, module in (("psycopg/pool", "pool"), ("psycopg/async-pool", "pool_async"))
    ),
    Target("psycopg2", "psycopg2", _DEPENDENCIES + "psycopg2", "psycopg2", "2.8", "2.9"),
    Target(
        "psycopg/django",
        "django.db.backends.postgresql.base",
        _DEPENDENCIES + "django_postgresql",
        "django",
        "4.2",
        "5.2",
    ),
    *(
        Target(name, f"redis.{module}", _DEPENDENCIES + patcher, "redis", "4.5", "8.1")
        for name, module, patcher in (
            ("redis", "client", "redis"),
            ("redis/async", "asyncio.client", "redis"),
            ("redis/cluster", "cluster", "redis_cluster"),
            ("redis/async-cluster", "asyncio.cluster", "redis_cluster"),
        )
    ),
    Target(
        "sqlalchemy",
        "sqlalchemy.engine.base",
        _DEPENDENCIES + "sqlalchemy",
        "sqlalchemy",
        "2.0",
        "2.1",
    ),
)

# What starts work in other threads and processes. Nearly every process imports these, so they are
# patched only where an SDK or a framework is imported as well.
EXECUTORS = (
    *(
        Target(f"executors/{trigger}", trigger, _HOST + patcher, "python", "3.11", "3.13")
        for trigger, patcher in (
            ("threading", "executors"),
            ("concurrent.futures.thread", "executors"),
            ("multiprocessing.pool", "pools"),
        )
    ),
    # What the application itself says of its failures.
    Target("errors", "logging", _DEPENDENCIES + "applications", "python", "3.11", "3.13"),
    Target(
        "errors/asyncio", "asyncio.base_events", _DEPENDENCIES + "loops", "python", "3.11", "3.13"
    ),
    Target(
        "errors/processes",
        "traceback",
        _DEPENDENCIES + "processes",
        "python",
        "3.11",
        "3.13",
    ),
)

_FRAMEWORKS = _HOST + "frameworks."

# Who is served: requests and tasks open themselves. Several modules of one framework share a
# patcher and, by what their names begin with, a switch.
FRAMEWORKS = (
    # Waited for from the start: a worker process gets its work before it imports anything else.
    Target(
        "executors/processes",
        "concurrent.futures.process",
        _HOST + "executors",
        "python",
        "3.11",
        "3.13",
    ),
    Target("flask", "flask.app", _FRAMEWORKS + "flask", "flask", "2.2", "3.1"),
    *(
        Target(
            name, f"django.core.handlers.{module}", _FRAMEWORKS + "django", "django", "4.2", "5.2"
        )
        for name, module in (("django", "base"), ("django/wsgi", "wsgi"), ("django/asgi", "asgi"))
    ),
    *(
        Target(name, module, _FRAMEWORKS + "starlette", "starlette", "0.27", "1.10")
        for name, module in (
            ("starlette", "starlette.applications"),
            ("starlette/routing", "starlette.routing"),
            ("starlette/fastapi", "fastapi.routing"),
        )
    ),
    Target(
        "aiohttp-server",
        "aiohttp.web_protocol",
        _FRAMEWORKS + "aiohttp_server",
        "aiohttp",
        "3.8",
        "3.14",
    ),
    *(
        Target(name, module, _FRAMEWORKS + "celery", "celery", "5.2", "5.7")
        for name, module in (("celery", "celery.app.base"), ("celery/worker", "celery.app.trace"))
    ),
    Target("rq", "rq.job", _FRAMEWORKS + "rq", "rq", "1.10", "3.0"),
    Target("rq/callbacks", "rq.callbacks", _FRAMEWORKS + "rq", "rq", "1.10", "3.0"),
    *(
        Target(
            f"gunicorn/{module}",
            f"gunicorn.workers.{module}",
            _FRAMEWORKS + "gunicorn",
            "gunicorn",
            "20.0",
            "27.0",
        )
        for module in ("sync", "base_async", "gthread", "gasgi")
    ),
    Target("uvicorn", "uvicorn.config", _FRAMEWORKS + "uvicorn", "uvicorn", "0.20", "0.54"),
    Target("werkzeug", "werkzeug.serving", _FRAMEWORKS + "werkzeug", "werkzeug", "2.2", "3.1"),
    *(
        Target(name, module, _FRAMEWORKS + "gevent", "gevent", "21.8", "26.9")
        for name, module in (
            ("gevent", "gevent"),
            ("gevent/pool", "gevent.pool"),
            ("gevent/threadpool", "gevent.threadpool"),
        )
    ),
)
