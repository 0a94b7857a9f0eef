"""What every protocol server is: routes, faults, and a record of what went wrong.

Under `/_` it answers the tests themselves: `POST /_faults` arms a fault, `DELETE
/_faults` disarms all, `GET /_state` tells what lives, `GET /_failures` what this server
was asked and could not answer.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Mapping
from typing import Any

import anyio

from tests.servers.core.faults import Fault, FaultTable, UnknownFaultError, fault_from
from tests.servers.web.exchange import (
    AnswerEnded,
    ClientGone,
    Exchange,
    Message,
    Receive,
    Send,
)
from tests.servers.web.listener import Listener
from tests.servers.web.routes import Endpoint, Routes


class Application:
    """An ASGI application; a vendor's server adds its routes."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.faults = FaultTable()
        self.routes = Routes()
        self.listener: Listener | None = None
        self._admin = Routes()
        self._admin.add("POST", "/_faults", self._arm)
        self._admin.add("DELETE", "/_faults", self._disarm)
        self._admin.add("GET", "/_state", self._tell_state)
        self._admin.add("GET", "/_failures", self._tell_failures)

    # What a vendor's server says.

    def error_body(self, status: int, message: str) -> object:
        """The JSON of an error, as the vendor writes it."""
        return {"code": status, "message": message}

    async def clear(self) -> None:
        """Let nothing live, and all go well again."""
        self.failures.clear()
        self.faults.clear()
        if self.listener is not None:
            await self.listener.open()

    def made(self) -> int:
        """How many sandboxes there ever were."""
        return 0

    async def touch(self, name: str) -> None:
        """Make an empty file in the home of each sandbox."""
        raise NotImplementedError

    def state(self) -> Mapping[str, object]:
        """What lives."""
        return {}

    def find(self, exchange: Exchange) -> Endpoint | None:
        """Who answers this request; sets its `params`."""
        found = self.routes.find(exchange.method, exchange.path)
        if found is None:
            return None
        endpoint, exchange.params = found
        return endpoint

    async def end_machine(self, exchange: Exchange) -> None:
        """Let the sandbox that a request is about die."""
        raise NotImplementedError

    # What all of them do.

    def fail(self, what: str) -> None:
        """Record something that makes the tests red."""
        self.failures.append(what)

    async def refuse(self, seconds: float) -> None:
        """Refuse connections for a while."""
        assert self.listener is not None
        self.listener.refuse()
        await anyio.sleep(seconds)
        await self.listener.open()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send)
        admin = self._admin.find(exchange.method, exchange.path)
        if admin is not None:
            await admin[0](exchange)
            return
        fault = self.faults.take(exchange.method, exchange.path)
        try:
            if fault is None or not await self._go_wrong(fault, exchange):
                await self._answer(exchange)
            if fault is not None and fault.kind == "lost_reply":
                exchange.connection.close()
        except (AnswerEnded, ClientGone):
            return

    async def reply_error(
        self,
        exchange: Exchange,
        status: int,
        message: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with an error, as the vendor writes it."""
        await exchange.reply_json(status, self.error_body(status, message), headers)

    async def _answer(self, exchange: Exchange) -> None:
        endpoint = self.find(exchange)
        if endpoint is None:
            self.fail(f"unknown route: {exchange.method} {exchange.path}")
            await self.reply_error(exchange, 404, "no such route")
            return
        await self._shielded(exchange, endpoint(exchange))

    async def _shielded(self, exchange: Exchange, answering: Awaitable[None]) -> None:
        try:
            await answering
        except (AnswerEnded, ClientGone):
            raise
        except Exception as error:  # noqa: BLE001 (a fault of this server: tests go red)
            where = f"{exchange.method} {exchange.path}"
            told = "".join(traceback.format_exception(error))
            self.fail(f"{where} broke: {told}")
            if exchange.begun:
                exchange.connection.close()
            else:
                await self.reply_error(exchange, 500, f"{where} broke: {error!r}")

    async def _go_wrong(self, fault: Fault, exchange: Exchange) -> bool:
        """Do what the fault says; False = the work is to be done all the same."""
        if fault.kind == "status":
            await self.reply_error(
                exchange, fault.status, fault.message, dict(fault.headers)
            )
        elif fault.kind == "reset":
            exchange.connection.reset()
        elif fault.kind == "black_hole":
            await exchange.wait_for_hangup()
        else:
            exchange.fault = fault
            exchange.when_cut = lambda: self.end_machine(exchange)
            return False
        return True

    # What tests ask.

    async def _arm(self, exchange: Exchange) -> None:
        asked: dict[str, Any] = await exchange.json()
        if asked.get("kind") == "refuse":
            await exchange.reply_json(200, {})
            await self.refuse(float(asked["seconds"]))
            return
        try:
            self.faults.arm(fault_from(asked))
        except UnknownFaultError as error:
            await self.reply_error(exchange, 400, str(error))
            return
        await exchange.reply_json(200, {})

    async def _disarm(self, exchange: Exchange) -> None:
        self.faults.clear()
        await exchange.reply_json(200, {})

    async def _tell_state(self, exchange: Exchange) -> None:
        await exchange.reply_json(200, self.state())

    async def _tell_failures(self, exchange: Exchange) -> None:
        await exchange.reply_json(200, self.failures)
