"""PostgreSQL and SQLAlchemy: what a database cannot serve is told once, what it answers is not."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sqlite3
import subprocess
import sys
import time

import psycopg
import psycopg_pool
import pytest
import sqlalchemy
from sqlalchemy.pool import QueuePool

from tests.frameworks.depending import closed_port, postgresql
from tests.host.fixtures import one_event
from tests.host.support import environment

__all__ = ["one_event"]

pytestmark = pytest.mark.usefixtures("home")

log = logging.getLogger("shop.store")
SECRET = "SELECT 'canary-4711'"


@pytest.fixture(scope="module")
def database():
    with postgresql() as started:
        yield started


@pytest.fixture
def engine(database):
    """SQLAlchemy over psycopg, with one pooled connection that has been used."""
    url = f"postgresql+psycopg://postgres@{database.host}/postgres"
    made = sqlalchemy.create_engine(url, pool_pre_ping=True, pool_size=1, max_overflow=0)
    with made.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT 1"))
    yield made
    made.dispose()


def wait_for_a_client(database):
    """Waits until somebody else is connected, and has nothing to do."""
    deadline = time.monotonic() + 60
    with psycopg.connect(database.conninfo, autocommit=True) as own:
        while time.monotonic() < deadline:
            others = own.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                " AND pid <> pg_backend_pid() AND state = 'idle'"
            ).fetchone()
            if others[0]:
                return
            time.sleep(0.05)


def end_others(database):
    """The server ends every connection but this one, as when it is restarted."""
    with psycopg.connect(database.conninfo, autocommit=True) as own:
        own.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


def test_server_that_is_not_there_is_one_event(one_event):
    port = closed_port()

    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"host=127.0.0.1 port={port} user=canary-4711 password=t0psecret")

    event = one_event()
    assert (event.event_class, event.dependency, event.sdk) == (
        "network",
        f"127.0.0.1:{port}",
        "psycopg",
    )
    assert not any(word in str(event) for word in ("4711", "t0psecret"))


@pytest.mark.parametrize("connection", [psycopg.Connection, psycopg.AsyncConnection])
def test_connect_looks_as_without_us(connection):
    original = connection.connect.__wrapped__

    assert connection.connect.__self__ is connection
    assert inspect.signature(connection.connect.__func__) == inspect.signature(original)
    assert inspect.iscoroutinefunction(connection.connect) == inspect.iscoroutinefunction(original)


def test_asynchronous_connect_is_watched_too(one_event):
    port = closed_port()

    with pytest.raises(psycopg.OperationalError):
        asyncio.run(psycopg.AsyncConnection.connect(host="127.0.0.1", port=port))

    assert one_event().dependency == f"127.0.0.1:{port}"


def test_connection_that_the_server_ends_is_one_event(database, one_event):
    connection = psycopg.connect(database.conninfo)
    end_others(database)

    with pytest.raises(psycopg.OperationalError):
        connection.execute(SECRET)
    # What the application does about it fails as well, and is no further failure.
    with pytest.raises(psycopg.OperationalError):
        connection.rollback()
    connection.close()

    event = one_event()
    assert (event.code, event.dependency) == ("57P01", database.host)
    assert "canary" not in str(event)


def test_statement_that_takes_too_long_is_a_timeout(database, one_event):
    with (
        psycopg.connect(database.conninfo, options="-c statement_timeout=50ms") as connection,
        pytest.raises(psycopg.errors.QueryCanceled),
    ):
        connection.execute("SELECT pg_sleep(60)")

    assert (one_event().event_class, one_event().code) == ("timeout", "57014")


def test_asynchronous_statement_is_watched_too(database, one_event):
    async def ask():
        async with await psycopg.AsyncConnection.connect(
            database.conninfo, options="-c statement_timeout=50ms"
        ) as connection:
            await connection.execute("SELECT pg_sleep(60)")

    with pytest.raises(psycopg.errors.QueryCanceled):
        asyncio.run(ask())

    assert one_event().event_class == "timeout"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM no_such_table",
        "SELEC 1",
        "SELECT 1/0",
        "SELECT 'x'::integer",
        "DO $$ BEGIN RAISE unique_violation; END $$",
        "DO $$ BEGIN RAISE serialization_failure; END $$",
        "DO $$ BEGIN RAISE deadlock_detected; END $$",
        "DO $$ BEGIN RAISE lock_not_available; END $$",
    ],
)
def test_answers_to_a_statement_are_no_failure_of_the_server(database, events, statement):
    connection = psycopg.connect(database.conninfo, autocommit=True)
    with connection, pytest.raises(psycopg.Error):
        connection.execute(statement)

    assert events() == []


def test_server_without_resources_is_a_failure(database, one_event):
    connection = psycopg.connect(database.conninfo, autocommit=True)
    with connection, pytest.raises(psycopg.Error):
        connection.execute("DO $$ BEGIN RAISE too_many_connections; END $$")

    assert (one_event().event_class, one_event().code) == ("dependency_error", "53300")


def test_connection_that_the_application_closed_is_its_own_affair(database, events):
    connection = psycopg.connect(database.conninfo)
    connection.close()

    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")

    assert events() == []


def test_query_that_the_application_cancels_is_no_failure(database, events):
    async def ask():
        async with await psycopg.AsyncConnection.connect(database.conninfo) as connection:
            await asyncio.wait_for(connection.execute("SELECT pg_sleep(60)"), 0.1)

    with pytest.raises(TimeoutError):
        asyncio.run(ask())

    assert events() == []


def test_pool_that_cannot_connect_is_one_event_for_each_that_asked(events):
    port = closed_port()
    conninfo = f"host=127.0.0.1 port={port} user=x"

    # Open, so that its workers try to connect all the time.
    with psycopg_pool.ConnectionPool(conninfo, min_size=2, open=True) as pool:
        for _ in range(2):
            with pytest.raises(psycopg_pool.PoolTimeout):
                pool.getconn(timeout=0.2)

    found = [(event.event_class, event.dependency) for event in events()]
    assert found == [("timeout", f"127.0.0.1:{port}")] * 2


def test_asynchronous_pool_is_watched_too(one_event):
    async def ask():
        conninfo = f"host=127.0.0.1 port={closed_port()} user=x"
        async with psycopg_pool.AsyncConnectionPool(conninfo, min_size=1, open=False) as pool:
            await pool.getconn(timeout=0.2)

    with pytest.raises(psycopg_pool.PoolTimeout):
        asyncio.run(ask())

    assert one_event().event_class == "timeout"


def test_pooled_connection_that_is_found_dead_and_replaced_is_no_failure(database, events):
    check = psycopg_pool.ConnectionPool.check_connection
    with psycopg_pool.ConnectionPool(database.conninfo, min_size=1, open=True, check=check) as pool:
        pool.wait()
        end_others(database)

        with pool.connection() as connection:
            connection.execute("SELECT 1")

    assert events() == []


def test_pool_that_the_application_closed_is_its_own_affair(events):
    pool = psycopg_pool.ConnectionPool("host=127.0.0.1", open=False)

    with pytest.raises(psycopg_pool.PoolClosed):
        pool.getconn()

    assert events() == []


DJANGO = """
import django
from django.conf import settings
database = {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": NUMBER,
            "USER": "postgres", "NAME": "postgres", "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True}
settings.configure(DATABASES={"default": database})
django.setup()
from django.db import close_old_connections, connection
connection.ensure_connection()
input()
close_old_connections()
with connection.cursor() as cursor:
    cursor.execute("SELECT 1")
    print(cursor.fetchone())
"""


def test_persistent_connection_that_django_replaces_is_no_failure(database, home, events):
    code = DJANGO.replace("NUMBER", str(database.port))
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for_a_client(database)
        end_others(database)

        said, _ = process.communicate("go on\n", timeout=60)

    assert said == "(1,)\n"
    assert events() == []


def test_failure_while_another_one_is_handled_is_an_event_of_its_own(tmp_path, events):
    file = tmp_path / "shop.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    engine = sqlalchemy.create_engine(f"sqlite:///{file}", connect_args={"timeout": 0.01})

    try:
        psycopg.connect(f"host=127.0.0.1 port={closed_port()}")
    except psycopg.OperationalError:
        with engine.connect() as connection, pytest.raises(sqlalchemy.exc.OperationalError):
            connection.execute(sqlalchemy.text("SELECT * FROM sqlite_master"))
    other.close()

    assert [event.sdk for event in events()] == ["psycopg", "sqlalchemy"]


def test_failure_below_sqlalchemy_that_is_logged_is_one_event(engine, database, one_event):
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT 1"))
        end_others(database)
        try:
            connection.execute(sqlalchemy.text(SECRET))
        except sqlalchemy.exc.OperationalError:
            log.exception("the store is down")

    assert (one_event().sdk, one_event().dependency) == ("psycopg", database.host)
    assert "canary" not in str(one_event())


def test_pooled_connection_that_a_ping_replaces_is_no_failure(engine, database, events):
    end_others(database)

    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1

    assert events() == []


def test_connection_that_breaks_as_it_is_given_back_is_no_failure(engine, database, events):
    connection = engine.raw_connection()
    connection.cursor().execute("SELECT 1")
    end_others(database)
    # The pool's own rollback fails, and the pool swallows it.
    connection.close()

    assert events() == []


def test_engine_that_cannot_connect_is_one_event(one_event):
    port = closed_port()
    engine = sqlalchemy.create_engine(f"postgresql+psycopg://canary:4711@127.0.0.1:{port}/x")

    try:
        engine.connect()
    except sqlalchemy.exc.OperationalError:
        log.exception("no store")

    assert (one_event().event_class, one_event().dependency) == ("network", f"127.0.0.1:{port}")


def test_asynchronous_engine_that_cannot_connect_is_one_event(one_event):
    from sqlalchemy.ext.asyncio import create_async_engine

    port = closed_port()

    async def ask():
        engine = create_async_engine(f"postgresql+psycopg://x:y@127.0.0.1:{port}/x")
        async with engine.connect():
            pass

    with pytest.raises(sqlalchemy.exc.OperationalError):
        asyncio.run(ask())

    assert one_event().dependency == f"127.0.0.1:{port}"


def test_pool_that_is_used_up_is_a_timeout(one_event):
    engine = sqlalchemy.create_engine(
        "sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01
    )

    with engine.connect(), pytest.raises(sqlalchemy.exc.TimeoutError):
        engine.connect()

    assert (one_event().event_class, one_event().dependency) == ("timeout", "sqlite")


def test_locked_sqlite_is_a_failure(tmp_path, one_event):
    file = tmp_path / "canary-4711.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("CREATE TABLE x (y)")
    other.execute("BEGIN EXCLUSIVE")
    engine = sqlalchemy.create_engine(f"sqlite:///{file}", connect_args={"timeout": 0.01})

    with engine.connect() as connection, pytest.raises(sqlalchemy.exc.OperationalError):
        connection.execute(sqlalchemy.text("INSERT INTO x VALUES (1)"))
    other.close()

    event = one_event()
    assert (event.event_class, event.code, event.dependency) == ("timeout", "SQLITE_BUSY", "sqlite")
    assert "canary" not in str(event)


@pytest.mark.parametrize(
    "statement", ["SELECT * FROM no_such_table", "SELEC 1", "INSERT INTO x VALUES (1)"]
)
def test_wrong_statement_of_sqlite_is_no_failure_of_it(events, statement):
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE x (y UNIQUE)"))
        connection.execute(sqlalchemy.text("INSERT INTO x VALUES (1)"))

        with pytest.raises(sqlalchemy.exc.DatabaseError):
            connection.execute(sqlalchemy.text(statement))

    assert events() == []
