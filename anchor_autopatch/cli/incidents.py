"""`anchor incidents`: what fails, since when, whom it hits; who has taken it on."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.jobs import add_action, add_actor, homes_of
from anchor_autopatch.cli.output import cell, print_json, print_table

if TYPE_CHECKING:
    from anchor_autopatch.job.incidents.records import Incident
    from anchor_autopatch.job.incidents.store import Store

_COLUMNS = ("incident", "severity", "state", "what", "events", "apps", "first seen", "last seen")


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds the subcommand and its actions."""
    parser = commands.add_parser(
        name, help=summary, description=summary, epilog="example: anchor incidents list"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_list(actions)
    _add_show(actions)
    _add_ack(actions)
    _add_resolve(actions)
    _add_silence(actions)


def _add_list(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = add_action(
        actions,
        "list",
        _list,
        (
            "what goes on now",
            "Lists the incidents that go on, newest first. Exit code 1 when there is one that "
            "nobody has acknowledged.",
            "anchor incidents list --all",
        ),
    )
    parser.add_argument("--all", action="store_true", help="those that are over, too")


def _list(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.incidents.records import ACKNOWLEDGED, ACTIVE

    with _open(args) as store:
        found = [each for each in store.incidents() if args.all or each.state in ACTIVE]
        rows = [_as_dict(store, each) for each in found]
    if args.json:
        print_json(rows)
    elif rows:
        print_table("Incidents", _COLUMNS, map(_row, rows), right=("events", "apps"))
    else:
        print("No incident goes on.")
    # What somebody has taken on needs nobody else: cron mails only what is new.
    unattended = any(each.state in ACTIVE and each.state != ACKNOWLEDGED for each in found)
    return FINDINGS if unattended else CLEAN


def _row(found: dict[str, Any]) -> tuple[object, ...]:
    return (
        found["incident_id"],
        found["severity"],
        found["state"],
        found["title"],
        found["event_count"],
        found["affected_count"],
        found["first_seen"],
        found["last_seen"],
    )


def _add_show(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = add_action(
        actions,
        "show",
        _show,
        (
            "everything about one incident",
            "Shows one incident: what failed, whom it hit, who did what, who was told. The "
            "beginning of its id is enough.",
            "anchor incidents show 4f2a",
        ),
    )
    parser.add_argument("incident", metavar="ID")


def _show(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.delivery.queue import deliveries
    from anchor_autopatch.job.incidents.actions import find

    with _open(args) as store:
        incident = find(store, args.incident)
        shown = _as_dict(store, incident)
        shown["affected"] = [app._asdict() for app in store.affected(incident.incident_id)]
        shown["changes"] = [
            {"at": _instant(each.at_us), "kind": each.kind, "actor": each.actor, "note": each.note}
            for each in store.changes(incident.incident_id)
        ]
        shown["deliveries"] = [
            each._asdict()
            for each in deliveries(store.con)
            if each.incident_id == incident.incident_id
        ]
    print_json(shown) if args.json else _print(shown)
    return CLEAN


def _print(shown: dict[str, Any]) -> None:
    for name, value in shown.items():
        if value is not None and not isinstance(value, list):
            print(f"{name:18} {cell(value)}")
    print()
    apps = [
        (app["team"], app["service"], app["environment"], app["model"], app["event_count"])
        for app in shown["affected"]
    ]
    print_table("Whom it hit", ("team", "service", "environment", "model", "events"), apps)
    steps = [tuple(step.values()) for step in shown["changes"]]
    print_table("What happened", ("at", "what", "by", "note"), steps)
    told = [
        (each["sink"], each["kind"], each["state"], each["attempts"], each["last_error"])
        for each in shown["deliveries"]
    ]
    if told:
        print_table("Who was told", ("sink", "of", "state", "tries", "last error"), told)
    else:
        print("Nobody was told of it.")


def _add_ack(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = add_action(
        actions,
        "ack",
        _ack,
        (
            "take an incident on: no more reminders",
            "Notes who has taken the incident on. Nobody is reminded of it any more; that it got "
            "worse, or is over, is told all the same.",
            "anchor incidents ack 4f2a --by ana --reason 'ticket 4711'",
        ),
    )
    parser.add_argument("incident", metavar="ID")
    add_actor(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="kept with it")


def _ack(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.incidents.actions import acknowledge

    with _open(args) as store:
        done = acknowledge(store, args.incident, args.by, args.reason, utc_now())
        return _say(args, store, done, f"Incident {done.incident_id} is {args.by}'s now.")


def _add_resolve(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = add_action(
        actions,
        "resolve",
        _resolve,
        (
            "say that an incident is over",
            "Ends an incident that does not end by itself. A later failure of the same cause "
            "opens it again.",
            "anchor incidents resolve 4f2a --by ana --reason 'key was renewed'",
        ),
    )
    parser.add_argument("incident", metavar="ID")
    add_actor(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="kept with it")


def _resolve(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.incidents.actions import resolve

    with _open(args) as store:
        done = resolve(store, args.incident, args.by, args.reason, utc_now())
        return _say(args, store, done, f"Incident {done.incident_id} is resolved.")


def _add_silence(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = add_action(
        actions,
        "silence",
        _silence,
        (
            "tell nobody of some incidents for a while",
            "Silences what matches for a time; without arguments lists the silences. What is "
            "silenced is recorded all the same, and told when the silence ends and it goes on.",
            "anchor incidents silence class=rate_limited --for 2h --reason 'load test'",
        ),
    )
    parser.add_argument("matcher", nargs="?", metavar="FIELD=VALUE,...", help="* matches any text")
    parser.add_argument("--for", dest="time", default="1h", metavar="TIME", help="30m, 2h, 1d")
    parser.add_argument("--end", metavar="ID", help="end a silence now")
    add_actor(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; must be given")


def _silence(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.clock import to_micros, utc_now
    from anchor_autopatch.job.incidents.claiming import Board

    now = utc_now()
    with _open(args) as store:
        if args.end:
            _end_silence(args, store, to_micros(now))
        elif args.matcher:
            _begin_silence(args, store, now)
        else:
            _print_silences(args, store, to_micros(now))
        # At once: a process of an application tells without asking the job.
        Board([store.home]).silence(store, to_micros(now))
    return CLEAN


def _begin_silence(args: argparse.Namespace, store: Store, now: datetime) -> None:
    from anchor_autopatch.core.durations import duration_us
    from anchor_autopatch.core.errors import ConfigError
    from anchor_autopatch.job.incidents.actions import silence

    until = now + timedelta(microseconds=duration_us(args.time, "--for"))
    if not args.reason:
        raise ConfigError("A silence needs a reason: --reason TEXT")
    made = silence(store, args.matcher, until, args.by, args.reason, now)
    if args.json:
        print_json({"silence_id": made.silence_id, "matcher": args.matcher, "until": until})
    else:
        print(f"Silence {made.silence_id} until {until:%Y-%m-%d %H:%M} UTC: {args.matcher}")


def _end_silence(args: argparse.Namespace, store: Store, now_us: int) -> None:
    from anchor_autopatch.core.errors import ConfigError

    with store.transaction():
        known = store.end_silence(args.end, now_us)
    if not known:
        raise ConfigError(f"No silence {args.end!r}; anchor incidents silence lists them")
    if args.json:
        print_json({"silence_id": args.end, "ended": True})
    else:
        print(f"Silence {args.end} is over.")


def _print_silences(args: argparse.Namespace, store: Store, now_us: int) -> None:
    rows = [
        {
            "silence_id": each.silence_id,
            "matcher": each.matcher,
            "until": _instant(each.until_us),
            "by": each.author,
            "reason": each.reason,
        }
        for each in store.silences()
        if each.until_us > now_us
    ]
    if args.json:
        print_json(rows)
    elif rows:
        print_table("Silences", tuple(rows[0]), (tuple(row.values()) for row in rows))
    else:
        print("Nothing is silenced.")


def _open(args: argparse.Namespace) -> Store:
    from anchor_autopatch.job.incidents.store import Store

    return Store(homes_of(args)[0])


def _say(args: argparse.Namespace, store: Store, incident: Incident, text: str) -> int:
    print_json(_as_dict(store, incident)) if args.json else print(text)
    return CLEAN


def _as_dict(store: Store, incident: Incident) -> dict[str, Any]:
    from anchor_autopatch.core.alerting.documents import cause, title

    affected = store.affected(incident.incident_id)
    return {
        "incident_id": incident.incident_id,
        "title": title(incident),
        "severity": incident.severity,
        "state": incident.state,
        "class": incident.event_class,
        **cause(incident),
        "first_seen": _instant(incident.first_seen_us),
        "last_seen": _instant(incident.last_seen_us),
        "event_count": incident.event_count,
        "call_count": incident.call_count,
        "wasted_requests": incident.wasted_requests,
        "affected_count": len({app[1:4] for app in affected}),
        "acknowledged_by": incident.ack_by,
        "resolved_at": _instant(incident.resolved_at_us) if incident.resolved_at_us else None,
        "resolve_reason": incident.resolve_reason,
        "inhibited_by": incident.inhibited_by,
    }


def _instant(instant_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant_us)
