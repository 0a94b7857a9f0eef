"""The E2B server: which request is for whom.

Everything is on one port, as behind `E2B_API_URL` and `E2B_SANDBOX_URL` when both name
it. What is for a sandbox says so in headers, as the SDK does, or in the host's name.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from sandbook.api import Provider
from tests.servers.core.machines import MachineGone, Machines
from tests.servers.core.processes import ProcessRules
from tests.servers.e2b import (
    access,
    connect_protocol,
    envd_filesystem,
    envd_processes,
    envd_watches,
    interpreter,
    ports,
)
from tests.servers.e2b.connect_protocol import RpcError
from tests.servers.e2b.control import ControlApi
from tests.servers.e2b.envd_files import download, upload
from tests.servers.e2b.errors import ApiError
from tests.servers.e2b.sandboxes import E2BSandbox, Sandboxes
from tests.servers.e2b.snapshots import Snapshots
from tests.servers.web.application import Application
from tests.servers.web.exchange import Exchange
from tests.servers.web.routes import Endpoint

RULES = ProcessRules(reach="leader", ends_at="output", unheard="dropped")

InSandbox = Callable[[Exchange, E2BSandbox], Awaitable[None]]


class E2BServer(Application):
    """Speaks E2B's protocol; what is run runs in sandboxes of `provider`."""

    def __init__(
        self,
        provider: Provider,
        *,
        keys: Collection[str] = (),
        most: int | None = None,
    ) -> None:
        super().__init__()
        self._machines = Machines(provider, RULES)
        self._sandboxes = Sandboxes()
        self._snapshots = Snapshots(provider)
        self._control = ControlApi(
            self._machines, self._sandboxes, self._snapshots, keys=keys, most=most
        )
        self._control.add_to(self.routes)
        self._add_envd()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Sandboxes can be made within the block; none is left behind it."""
        async with self._machines.open():
            yield

    async def clear(self) -> None:
        """End every sandbox, and let all go well again."""
        for made in self._sandboxes.all():
            await self._control.end(made)
        await self._snapshots.clear()
        await super().clear()

    async def touch(self, name: str) -> None:
        """Make an empty file in the home of each sandbox."""
        for machine in self._machines:
            await machine.sandbox.files.write(f"{machine.home}/{name}", b"")

    def made(self) -> int:
        """How many sandboxes there ever were."""
        return len(self._sandboxes.ever())

    def state(self) -> Mapping[str, object]:
        """The sandboxes, and what runs in them."""
        return {
            "sandboxes": [made.id for made in self._sandboxes.all()],
            "snapshots": self._snapshots.ids(),
            "machines": [machine.id for machine in self._machines],
            "processes": [
                {"sandbox": machine.id, "pid": process.pid}
                for machine in self._machines
                for process in machine.processes
            ],
            "cells": [
                {"sandbox": machine.id, "waiting": kernel.waiting}
                for machine in self._machines
                for kernel in machine.kernels
                if kernel.waiting
            ],
        }

    async def end_machine(self, exchange: Exchange) -> None:
        """Let the sandbox die that a request is about."""
        made = self._named(exchange)
        if made is not None:
            await self._control.end(made)

    def find(self, exchange: Exchange) -> Endpoint | None:
        """Who answers, with errors told as the service tells them."""
        ports.read_host(exchange)
        if ports.own_port(exchange) is not None:
            return self._with_errors(self._in_sandbox(ports.reach, is_open=True))
        endpoint = super().find(exchange)
        return None if endpoint is None else self._with_errors(endpoint)

    def _with_errors(self, endpoint: Endpoint) -> Endpoint:
        async def answering(exchange: Exchange) -> None:
            try:
                await endpoint(exchange)
            except ApiError as error:
                await self.reply_error(exchange, error.status, error.message)

        return answering

    def _add_envd(self) -> None:
        self.routes.add("GET", "/health", self._in_sandbox(_health, is_open=True))
        self.routes.add("GET", "/files", self._in_sandbox(download, is_open=True))
        self.routes.add("POST", "/files", self._in_sandbox(upload, is_open=True))
        self.routes.add("GET", "/envs", self._in_sandbox(_envs))
        for method, path, answer in interpreter.ROUTES:
            self.routes.add(
                method, path, self._in_sandbox(_on_jupyter(answer), is_open=True)
            )
        processes, files = "process.Process", "filesystem.Filesystem"
        for service, unary, streamed in (
            (processes, envd_processes.UNARY, envd_processes.STREAMED),
            (files, envd_filesystem.UNARY, {}),
            (files, envd_watches.UNARY, envd_watches.STREAMED),
        ):
            for name, call in unary.items():
                self._add_call(f"/{service}/{name}", _unary(call))
            for name, call in streamed.items():
                self._add_call(f"/{service}/{name}", _streamed(call))

    def _add_call(self, path: str, call: InSandbox) -> None:
        self.routes.add("POST", path, self._in_sandbox(call))

    def _in_sandbox(self, call: InSandbox, *, is_open: bool = False) -> Endpoint:
        """What a sandbox answers, as long as it lives; `is_open` = without a token."""

        async def endpoint(exchange: Exchange) -> None:
            made = self._named(exchange)
            if made is not None and made.state == "paused" and made.auto_resume:
                await self._control.resume(made)
            if made is None or made.state == "paused":
                await self._tell_not_found(exchange)
                return
            if not is_open:
                access.check_token(exchange, made)
            try:
                async with made.machine.in_use():
                    await call(exchange, made)
            except MachineGone:
                await self._tell_not_found(exchange)

        return endpoint

    async def _tell_not_found(self, exchange: Exchange) -> None:
        """What the proxy in front of a sandbox says when there is none any more."""
        if exchange.begun:
            exchange.connection.close()
            return
        body = {
            "sandboxId": exchange.headers.get("e2b-sandbox-id", ""),
            "message": "The sandbox was not found",
            "code": 502,
        }
        await exchange.reply_json(502, body)

    def _named(self, exchange: Exchange) -> E2BSandbox | None:
        name = exchange.headers.get("e2b-sandbox-id") or exchange.params.get("id")
        if name is not None:
            return self._sandboxes.find(name)
        signed = access.signed_for(exchange, self._sandboxes.ever())
        return signed and self._sandboxes.find(signed.id)


async def _health(exchange: Exchange, made: E2BSandbox) -> None:
    del made  # it runs
    await exchange.reply(204)


def _on_jupyter(call: InSandbox) -> InSandbox:
    """What only a template with the code interpreter answers."""

    async def answering(exchange: Exchange, made: E2BSandbox) -> None:
        if made.base == "base":
            await ports.tell_closed(exchange, made, ports.INTERPRETER)
        else:
            await call(exchange, made)

    return answering


async def _envs(exchange: Exchange, made: E2BSandbox) -> None:
    await exchange.reply_json(200, made.envs)


def _unary(call: InSandbox) -> InSandbox:
    async def answering(exchange: Exchange, made: E2BSandbox) -> None:
        try:
            await call(exchange, made)
        except RpcError as error:
            await connect_protocol.reply_error(exchange, error)

    return answering


def _streamed(call: InSandbox) -> InSandbox:
    async def answering(exchange: Exchange, made: E2BSandbox) -> None:
        try:
            await call(exchange, made)
        except RpcError as error:
            await connect_protocol.end_stream(exchange, error)

    return answering
