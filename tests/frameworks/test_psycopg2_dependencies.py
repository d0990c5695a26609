"""psycopg2: a server that cannot be had is told once; its functions and types stay as they are."""

from __future__ import annotations

import inspect
import logging

import psycopg2
import psycopg2.extensions
import psycopg2.pool
import pytest
import sqlalchemy

from tests.frameworks.depending import closed_port, postgresql
from tests.host.fixtures import one_event

__all__ = ["one_event"]

pytestmark = pytest.mark.usefixtures("home")

log = logging.getLogger("shop.store")


@pytest.fixture(scope="module")
def database():
    with postgresql() as started:
        yield started


WAYS = {
    "dsn": lambda port: psycopg2.connect(f"host=127.0.0.1 port={port} user=c-4711 password=t0p"),
    "keywords": lambda port: psycopg2.connect(
        host="127.0.0.1", port=port, user="c-4711", password="t0p"
    ),
    "url": lambda port: psycopg2.connect(dsn=f"postgresql://c-4711:t0p@127.0.0.1:{port}/x"),
    "several": lambda port: psycopg2.connect(
        host="127.0.0.1,127.0.0.1", port=f"{port},{port}", user="c-4711"
    ),
    "pool": lambda port: psycopg2.pool.SimpleConnectionPool(1, 2, host="127.0.0.1", port=port),
}


@pytest.mark.parametrize("connect", WAYS.values(), ids=WAYS)
def test_server_that_is_not_there_is_one_event(one_event, connect):
    port = closed_port()

    with pytest.raises(psycopg2.OperationalError):
        connect(port)

    event = one_event()
    assert (event.event_class, event.dependency) == ("network", f"127.0.0.1:{port}")
    assert event.sdk == "psycopg2"
    assert not any(word in str(event) for word in ("4711", "t0p", "refused"))


def test_failure_that_is_logged_and_told_by_sqlalchemy_is_one_event(one_event):
    engine = sqlalchemy.create_engine(f"postgresql+psycopg2://u@127.0.0.1:{closed_port()}/x")

    try:
        engine.connect()
    except sqlalchemy.exc.OperationalError:
        log.exception("no store")

    # Told once, by SQLAlchemy, whose pool may connect anew by itself.
    assert (one_event().event_class, one_event().sdk) == ("network", "sqlalchemy")


def test_database_that_does_not_exist_is_the_services_failure(database, one_event):
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(database.conninfo.replace("dbname=postgres", "dbname=nowhere"))

    assert (one_event().event_class, one_event().dependency) == ("dependency_error", database.host)


@pytest.mark.parametrize("wrong", [{"port": "no number"}, {"hots": "x"}])
def test_parameters_that_mean_nothing_fail_as_without_us(wrong):
    with pytest.raises(psycopg2.Error) as plain:
        psycopg2.connect.__wrapped__(host="127.0.0.1", **wrong)
    with pytest.raises(psycopg2.Error) as hooked:
        psycopg2.connect(host="127.0.0.1", **wrong)

    assert (type(hooked.value), str(hooked.value)) == (type(plain.value), str(plain.value))


def test_connections_are_what_they_were(database, events):
    connection = psycopg2.connect(database.conninfo)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            kinds = (type(connection), type(cursor))
            answer = cursor.fetchone()
    finally:
        connection.close()

    assert kinds == (psycopg2.extensions.connection, psycopg2.extensions.cursor)
    assert (answer, events()) == ((1,), [])


def test_connect_looks_as_without_us():
    original = psycopg2.connect.__wrapped__

    assert inspect.signature(psycopg2.connect) == inspect.signature(original)
    assert inspect.isfunction(psycopg2.connect)
