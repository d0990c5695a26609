"""Runs the simulator: binds ports, prints one JSON line with the urls, serves until stopped."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import stat
import sys
from collections.abc import Sequence
from types import FrameType

import uvicorn

from examples.provider_sim.app import create_app

_NAMED = ("openai", "anthropic", "gemini")


class _Server(uvicorn.Server):
    """Tells when it listens; leaves at the first signal without waiting for clients."""

    def __init__(self, config: uvicorn.Config, urls: dict[str, str]) -> None:
        super().__init__(config)
        self._urls = urls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(json.dumps(self._urls), flush=True)

    # uvicorn's own would raise the signal again after the shutdown and spoil the exit code.
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.leave()

    def leave(self) -> None:
        self.should_exit = self.force_exit = True


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m examples.provider_sim",
        description="Serve simulated OpenAI, Anthropic and Gemini APIs on 127.0.0.1.",
        epilog="example: python -m examples.provider_sim --openai-port 8001 --gemini-port 0",
    )
    for name in _NAMED:
        parser.add_argument(
            f"--{name}-port",
            type=int,
            metavar="N",
            help=f"port that {name} invoices; 0 = any free one",
        )
    parser.add_argument(
        "--port", type=int, metavar="N", help="port that speaks all three by path; 0 = any free one"
    )
    parser.add_argument(
        "--like",
        action="append",
        default=[],
        metavar="PROVIDER=N",
        help="one more port, invoiced by PROVIDER, e.g. --like azure=0; repeatable",
    )
    parser.add_argument(
        "--exit-with-parent", action="store_true", help="leave when stdin or the parent goes away"
    )
    return parser.parse_args(arguments)


def _wanted_ports(options: argparse.Namespace) -> dict[str, int]:
    ports = {name: getattr(options, f"{name}_port") for name in _NAMED} | {"all": options.port}
    wanted = {name: port for name, port in ports.items() if port is not None}
    if not wanted:
        wanted = dict.fromkeys(ports, 0)
    for pair in options.like:
        name, _, port = pair.partition("=")
        wanted[name] = int(port or 0)
    return wanted


def _bind(port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it each answer
    # waits 40 ms for the acknowledgement of its headers.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        bound.close()
        raise OSError(f"127.0.0.1:{port} is not to be had ({error.strerror})") from error
    return bound


async def _leave_with_parent(server: _Server) -> None:
    parent = os.getppid()
    # Only a pipe tells that its other end has gone; /dev/null is at its end from the start.
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        asyncio.get_running_loop().add_reader(
            0, lambda: None if os.read(0, 4096) else server.leave()
        )
    while not server.should_exit:
        await asyncio.sleep(0.25)
        if os.getppid() != parent:
            server.leave()


async def _serve(server: _Server, sockets: list[socket.socket], *, with_parent: bool) -> None:
    watch = asyncio.create_task(_leave_with_parent(server)) if with_parent else None
    await server.serve(sockets=sockets)
    if watch:
        watch.cancel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal; return 0, or 2 when a port is taken."""
    options = _parse(arguments)
    try:
        sockets = {name: _bind(port) for name, port in _wanted_ports(options).items()}
    except OSError as error:
        print(f"No port to listen at: {error}", file=sys.stderr)
        return 2
    ports = {name: int(bound.getsockname()[1]) for name, bound in sockets.items()}
    app = create_app({port: name for name, port in ports.items() if name != "all"})
    config = uvicorn.Config(
        app,
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        timeout_keep_alive=75,
    )
    server = _Server(config, {name: f"http://127.0.0.1:{port}" for name, port in ports.items()})
    loop_factory = config.get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve(server, list(sockets.values()), with_parent=options.exit_with_parent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
