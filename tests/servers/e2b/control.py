"""The control API: sandboxes are made, found, kept alive and ended.

Both the paths of the SDK that is installed and those that older ones use.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from typing import Any

import anyio

from sandbook.api import SandboxSpec
from sandbook.errors import ProviderError
from tests.servers.core.machines import Machine, Machines
from tests.servers.e2b import bodies, metrics, wishes
from tests.servers.e2b.errors import ApiError
from tests.servers.e2b.replies import Json
from tests.servers.e2b.sandboxes import E2BSandbox, Sandboxes, fresh_id
from tests.servers.e2b.snapshots import Snapshots
from tests.servers.web.exchange import Exchange
from tests.servers.web.routes import Endpoint, Routes

TEMPLATES = ("base", "code-interpreter-v1")
_HOME = "/home/user"
_OLD_DEFAULT = 15.0
_DEFAULT = 300.0

Answer = Callable[[Exchange, str], Awaitable[None]]


class ControlApi:
    """What is under `E2B_API_URL`; without `keys` any key will do."""

    def __init__(
        self,
        machines: Machines,
        sandboxes: Sandboxes,
        snapshots: Snapshots,
        *,
        keys: Collection[str],
        most: int | None,
    ) -> None:
        self._machines = machines
        self._sandboxes = sandboxes
        self._snapshots = snapshots
        self._keys = keys
        self._most = most
        self._making: defaultdict[tuple[str, str], anyio.Lock] = defaultdict(anyio.Lock)

    def add_to(self, routes: Routes) -> None:
        """Answer at every path that an SDK uses."""
        one = "/sandboxes/{id}"
        for method, path, answer in (
            ("POST", "/v2/sandboxes", self._create),
            ("POST", "/sandboxes", self._create_as_before),
            ("GET", "/v2/sandboxes", self._list),
            ("GET", "/sandboxes", self._list_as_before),
            ("GET", "/sandboxes/metrics", self._metrics_of_several),
            ("GET", one, self._tell),
            ("DELETE", one, self._kill),
            ("POST", f"/v2{one}/connect", self._connect),
            ("POST", f"{one}/connect", self._connect_as_before),
            ("POST", f"{one}/resume", self._resume),
            ("POST", f"{one}/pause", self._pause),
            ("POST", f"{one}/timeout", self._set_timeout),
            ("POST", f"{one}/refreshes", self._refresh),
            ("POST", f"{one}/fork", self._fork),
            ("POST", f"{one}/snapshots", self._copy),
            ("GET", "/snapshots", self._list_copies),
            ("DELETE", "/templates/{id}", self._delete_copy),
            ("PUT", f"{one}/network", self._set_network),
            ("GET", f"{one}/metrics", self._metrics),
        ):
            routes.add(method, path, self._for_owner(answer))

    def _for_owner(self, answer: Answer) -> Endpoint:
        async def endpoint(exchange: Exchange) -> None:
            await answer(exchange, self._owner(exchange))

        return endpoint

    def _owner(self, exchange: Exchange) -> str:
        """Whose key it is."""
        key: str = exchange.headers.get("x-api-key", "")
        if not key:
            raise ApiError(401, "an API key is required in the header X-API-Key")
        if self._keys and key not in self._keys:
            raise ApiError(401, "this API key is not valid")
        return key

    def _find(self, exchange: Exchange, owner: str) -> E2BSandbox:
        name = exchange.params["id"]
        found = self._sandboxes.find(name, owner=owner)
        if found is None:
            raise ApiError(404, f"sandbox {name!r} does not exist, or is not yours")
        return found

    # Made and found.

    async def _create(self, exchange: Exchange, owner: str) -> None:
        await self._make(exchange, owner, await _body(exchange), default=_DEFAULT)

    async def _create_as_before(self, exchange: Exchange, owner: str) -> None:
        await self._make(exchange, owner, await _body(exchange), default=_OLD_DEFAULT)

    async def _make(
        self, exchange: Exchange, owner: str, body: Json, *, default: float
    ) -> None:
        key = exchange.headers.get("idempotency-key")
        if key is None:
            made = await self._new(owner, body, default=default)
        else:
            made = await self._once(owner, key, body, default=default)
        await exchange.reply_json(201, bodies.sandbox(made))

    async def _once(
        self, owner: str, key: str, body: Json, *, default: float
    ) -> E2BSandbox:
        """The same request can come again while the first is still at work."""
        async with self._making[owner, key]:
            made = self._sandboxes.made_by(owner, key)
            if made is None:
                made = await self._new(owner, body, default=default)
                self._sandboxes.note(made, key=key)
        return made

    async def _new(self, owner: str, body: Json, *, default: float) -> E2BSandbox:
        seconds = wishes.lifetime(body, "timeout", default=default)
        template = _text(body, "templateID")
        snapshot = self._snapshots.find(template, owner=owner)
        if snapshot is None and template not in TEMPLATES:
            raise ApiError(404, f"template {template!r} not found")
        if self._most is not None and len(self._sandboxes.all()) >= self._most:
            raise ApiError(
                429,
                "you have reached the maximum number of concurrent E2B sandboxes "
                f"({self._most})",
            )
        name = fresh_id()
        envs = wishes.texts(body, "envVars")
        spec = SandboxSpec(
            env=envs
            | {
                "E2B_SANDBOX": "true",
                "E2B_SANDBOX_ID": name,
                "E2B_TEMPLATE_ID": template,
            },
            template=None if snapshot is None else snapshot.ref,
            workdir=None if snapshot else _HOME,
            network=wishes.network(body),
        )
        machine = await self._start(name, spec, seconds)
        made = _describe(machine, owner, template, envs, body)
        made.base = snapshot.base if snapshot else template
        self._sandboxes.add(made)
        return made

    async def _start(self, id: str, spec: SandboxSpec, seconds: float) -> Machine:
        try:
            return await self._machines.make(
                id, spec, lifetime=seconds, when_over=self._time_is_over
            )
        except ProviderError as error:
            raise ApiError(500, f"cannot start the sandbox: {error}") from error

    async def _list(self, exchange: Exchange, owner: str) -> None:
        await self._show(exchange, owner, states="running,paused")

    async def _list_as_before(self, exchange: Exchange, owner: str) -> None:
        await self._show(exchange, owner, states="running")

    async def _show(self, exchange: Exchange, owner: str, *, states: str) -> None:
        listing = wishes.Listing.of(exchange.query, states=states)
        own = [made for made in self._sandboxes.all() if made.owner == owner]
        page, more = listing.page(own)
        headers = {"x-next-token": more} if more else {}
        await exchange.reply_json(200, [bodies.listed(made) for made in page], headers)

    async def _tell(self, exchange: Exchange, owner: str) -> None:
        await exchange.reply_json(200, bodies.detail(self._find(exchange, owner)))

    # How long they live.

    async def _connect(self, exchange: Exchange, owner: str) -> None:
        await self._join(exchange, owner, default=_DEFAULT)

    async def _connect_as_before(self, exchange: Exchange, owner: str) -> None:
        await self._join(exchange, owner, default=None)

    async def _join(
        self, exchange: Exchange, owner: str, *, default: float | None
    ) -> None:
        """Never shortens the life of one that runs."""
        made = self._find(exchange, owner)
        body = await _body(exchange)
        seconds = wishes.lifetime(body, "timeout", default=default)
        if made.state == "paused":
            await self.resume(made, seconds, memory=body.get("memory") is not False)
            await exchange.reply_json(201, bodies.sandbox(made))
            return
        await _lengthen(made, seconds)
        await exchange.reply_json(200, bodies.sandbox(made))

    async def _resume(self, exchange: Exchange, owner: str) -> None:
        made = self._find(exchange, owner)
        body = await _body(exchange)
        if made.state == "running":
            raise ApiError(409, f"sandbox {made.id!r} is already running")
        seconds = wishes.lifetime(body, "timeout", default=_OLD_DEFAULT)
        await self.resume(made, seconds, memory=body.get("memory") is not False)
        await exchange.reply_json(201, bodies.sandbox(made))

    async def resume(
        self, made: E2BSandbox, seconds: float = _DEFAULT, *, memory: bool = True
    ) -> None:
        """Let a paused one go on; without its memory all that ran has ended."""
        keeps = memory and made.pause_mode == "full"
        await self._machines.resume(made.machine, lifetime=seconds)
        if not keeps:
            await made.machine.restart()
            made.default_kernels.clear()
        made.pause_mode = None

    async def _pause(self, exchange: Exchange, owner: str) -> None:
        made = self._find(exchange, owner)
        body = await _body(exchange)
        if made.state == "paused":
            raise ApiError(409, f"sandbox {made.id!r} is already paused")
        await self._stop(made, memory=body.get("memory") is not False)
        await exchange.reply(204)

    async def _stop(self, made: E2BSandbox, *, memory: bool) -> None:
        made.pause_mode = "full" if memory else "filesystem"
        try:
            await made.machine.pause()
        except ProviderError as error:
            raise ApiError(500, f"error pausing sandbox: {error}") from error

    async def _set_timeout(self, exchange: Exchange, owner: str) -> None:
        made = self._find(exchange, owner)
        seconds = wishes.lifetime(await _body(exchange), "timeout", default=None)
        await made.machine.live(seconds)
        await exchange.reply(204)

    async def _refresh(self, exchange: Exchange, owner: str) -> None:
        made = self._find(exchange, owner)
        body = await _body(exchange)
        seconds = wishes.lifetime(body, "duration", default=_OLD_DEFAULT)
        await _lengthen(made, seconds)
        await exchange.reply(204)

    async def _time_is_over(self, machine: Machine) -> None:
        made = self._sandboxes.find(machine.id)
        if made is None:
            return
        if made.on_timeout == "pause":
            await self._stop(made, memory=made.pauses_memory)
        else:
            await self.end(made)

    async def _kill(self, exchange: Exchange, owner: str) -> None:
        await self.end(self._find(exchange, owner))
        await exchange.reply(204)

    async def end(self, made: E2BSandbox) -> None:
        """End it at once, with all that runs in it."""
        self._sandboxes.remove(made)
        await self._machines.end(made.machine)

    # What else is asked of them.

    async def _copy(self, exchange: Exchange, owner: str) -> None:
        made = self._find(exchange, owner)
        name = (await _body(exchange)).get("name")
        copy = await self._snapshots.make(made, name)
        await exchange.reply_json(201, bodies.snapshot(copy))

    async def _list_copies(self, exchange: Exchange, owner: str) -> None:
        page, more = self._snapshots.page(exchange.query, owner=owner)
        headers = {"x-next-token": more} if more else {}
        await exchange.reply_json(200, [bodies.snapshot(one) for one in page], headers)

    async def _delete_copy(self, exchange: Exchange, owner: str) -> None:
        name = exchange.params["id"]
        copy = self._snapshots.find(name, owner=owner)
        if copy is None:
            raise ApiError(404, f"template {name!r} not found")
        await self._snapshots.delete(copy)
        await exchange.reply(204)

    async def _fork(self, exchange: Exchange, owner: str) -> None:
        made = self._find(exchange, owner)
        count = (await _body(exchange)).get("count", 1)
        text = f"sandbox {made.id!r} cannot be forked: its memory cannot be copied here"
        await exchange.reply_json(201, [bodies.not_forked(500, text)] * count)

    async def _set_network(self, exchange: Exchange, owner: str) -> None:
        made = self._find(exchange, owner)
        body = await _body(exchange)
        wishes.network({**body, "network": body})
        kept = {k: v for k, v in made.network.items() if k == "allowPublicTraffic"}
        made.network = kept | {k: v for k, v in body.items() if k in _NETWORK}
        made.allow_internet_access = body.get("allow_internet_access")
        await exchange.reply(204)

    async def _metrics(self, exchange: Exchange, owner: str) -> None:
        made = self._find(exchange, owner)
        await exchange.reply_json(200, [await metrics.measure(made)])

    async def _metrics_of_several(self, exchange: Exchange, owner: str) -> None:
        ids = exchange.query.get("sandbox_ids", "").split(",")
        found = [self._sandboxes.find(one, owner=owner) for one in ids]
        told = {made.id: await metrics.measure(made) for made in found if made}
        await exchange.reply_json(200, {"sandboxes": told})


_NETWORK = ("allowOut", "denyOut", "rules", "egressProxy", "dnsServers")


def _describe(
    machine: Machine, owner: str, template: str, envs: dict[str, str], body: Json
) -> E2BSandbox:
    made = E2BSandbox(
        id=machine.id,
        owner=owner,
        template=template,
        base=template,
        machine=machine,
        envs=envs,
        metadata=wishes.texts(body, "metadata"),
        started_at=machine.started_at,
        on_timeout="pause" if body.get("autoPause") else "kill",
        pauses_memory=body.get("autoPauseMemory") is not False,
        auto_resume=wishes.flag(body.get("autoResume"), "enabled"),
        allow_internet_access=body.get("allow_internet_access"),
        network=body.get("network") or {},
    )
    if made.is_private():
        made.traffic_token = secrets.token_urlsafe(24)
    return made


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ApiError(400, f"{name} is required")
    return value


async def _lengthen(made: E2BSandbox, seconds: float) -> None:
    left = (made.machine.ends_at - datetime.now(UTC)).total_seconds()
    if seconds > left:
        await made.machine.live(seconds)


async def _body(exchange: Exchange) -> Json:
    try:
        body: Any = await exchange.json()
    except ValueError as error:
        raise ApiError(400, f"the body is no JSON: {error}") from error
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise ApiError(400, "the body must be an object")
    return body  # pyright: ignore[reportUnknownVariableType]  # JSON
