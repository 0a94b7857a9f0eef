"""The sandboxes of a run: made when first needed, kept alive, ended for certain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

import anyio
from anyio.abc import TaskGroup

from sandbook.api import (
    JSON,
    Arguments,
    Bound,
    Provider,
    Sandbox,
    SandboxInfo,
)
from sandbook.chain import words_for
from sandbook.errors import (
    NoProvider,
    ProviderError,
    ProviderUnavailable,
    SandbookError,
    SandboxGone,
    TeardownFailed,
    told,
)
from sandbook.expressions import evaluate
from sandbook.plan import MAIN, PlannedSandbox, sandbox_options
from sandbook.runner import _reuse as reuse
from sandbook.runner._context import BookContext
from sandbook.runner._creating import Create, UndecidedError
from sandbook.runner._interpreters import Interpreters, contexts_of
from sandbook.runner._lasting import LastingSandbox
from sandbook.runner._live import CannotStart, Live, facts, not_destroyed
from sandbook.runner._packages import Audience, Packages, Place, install
from sandbook.runner._reattach import Line
from sandbook.runner._reservations import Reservations
from sandbook.runner._spec import make_spec, with_lifetime

DESTROY_TRIES = 3
HEARTBEATS = 3
"""Heartbeats in one lifetime."""
SHORTEST_BEAT = 0.2
LONGEST_BEAT = 30.0
"""Seconds; the ledger's lease is renewed with each beat and lasts four of these."""


class Sandboxes:
    """Sandboxes by name. A name that was torn down is not made again."""

    def __init__(self, context: BookContext, tasks: TaskGroup) -> None:
        self._context = context
        self._tasks = tasks
        self._live: dict[str, Live] = {}
        self._locks: dict[str, anyio.Lock] = {}
        self._reservations = Reservations(context)
        self.interpreters = Interpreters(tasks)
        context.whole.sandboxes.append(self)

    def names(self) -> tuple[str, ...]:
        """The sandboxes that are alive."""
        return tuple(name for name, live in self._live.items() if not live.ended)

    def stays(self, name: str) -> bool:
        """Whether the sandbox outlives the run."""
        return self._live[name].stays

    def peek(self, name: str) -> Live | None:
        """The sandbox, if it was made and lives."""
        live = self._live.get(name)
        return None if live is None or live.ended else live

    async def settled(self) -> None:
        """Wait until none is being made: what is cancelled meanwhile would be lost."""
        for lock in tuple(self._locks.values()):
            async with lock:
                continue

    async def get(self, name: str, audience: Audience | None = None) -> Live:
        """The sandbox with its packages, made now if it is the default one and new."""
        async with self._locks.setdefault(name, anyio.Lock()):
            live = self._live.get(name)
            if live is None:
                planned = self._planned(name)
                live = await self._make(planned, self._default_options(planned))
            elif live.ended:
                raise SandboxGone(
                    f"sandbox {name!r} was torn down above",
                    provider=live.sandbox.ref.provider,
                    operation="attach",
                    ref=live.sandbox.ref,
                )
            await self._equip(live, audience)
            return live

    async def _equip(self, live: Live, audience: Audience | None) -> None:
        place = Place(name=live.name, sandbox=live.sandbox, env=live.env)
        await install(live.packages, place, self._context, audience)
        if not live.is_equipped:
            live.is_equipped = True
            env = self._context.env_with(live.env)
            cells = contexts_of(self._context, live.name, env)
            self.interpreters.warm(live.sandbox, cells)

    async def create(
        self, options: Arguments, audience: Audience | None = None
    ) -> Live:
        """Make the sandbox that a `create` step describes."""
        name = str(options.get("as") or MAIN)
        async with self._locks.setdefault(name, anyio.Lock()):
            planned = self._planned(name)
            defaults = self._default_options(planned, creator=False)
            chosen = {**defaults, **options}
            metadata = reuse.wanted(chosen)
            live = None
            if metadata:
                live = await self._reuse(planned, chosen, metadata, audience)
            live = live or await self._make(planned, chosen)
            live.stays = bool(metadata)
            await self._equip(live, audience)
            return live

    async def _reuse(
        self,
        planned: PlannedSandbox,
        options: Arguments,
        metadata: Mapping[str, str],
        audience: Audience | None,
    ) -> Live | None:
        """The newest that fits; None = make one, and say who may have had it."""
        found = await reuse.find(
            self._context.installation, planned.selection.candidates, metadata
        )
        live = await self._join(planned, options, next(iter(found.infos), None))
        if live is None:
            reuse.refuse_missing(options, metadata, found)
            if audience is not None:
                for doubt in reuse.doubts(found):
                    audience.note(f"{doubt}; a new one is made")
        return live

    async def _join(
        self, planned: PlannedSandbox, options: Arguments, info: SandboxInfo | None
    ) -> Live | None:
        if info is None:
            return None
        provider = self._context.installation.provider(info.ref.provider)
        try:
            sandbox = await provider.attach(info.ref, resume_paused=True)
        except SandboxGone:
            # It ended between the look and the attach: as if it had not been there.
            return None
        options = self._timed(provider, options)
        spec = make_spec(self._context, planned, options, labels={})
        live = Live(
            name=planned.name,
            sandbox=self._lasting(provider, sandbox),
            provider=provider,
            reservation=await self._reservations.joined(info.ref),
            lifetime=spec.lifetime,
            env=spec.env,
            expires_at=info.expires_at,
            began=monotonic(),
            packages=Packages.of(options),
            reused=True,
        )
        self._live[planned.name] = live
        self._context.recorder.emit(
            "sandbox.attached", **facts(live.name, sandbox, info)
        )
        await self._beat(live)
        self._tasks.start_soon(self._keep_alive, live)
        return live

    def _timed(self, provider: Provider, options: Arguments) -> Arguments:
        """The options with a lifetime, where the provider's settings say one."""
        settings = self._context.installation.settings_of(provider.info.name)
        return with_lifetime(options, provider.info, settings)

    def _lasting(self, provider: Provider, sandbox: Sandbox) -> Sandbox:
        """The sandbox as steps use it: over a connection that breaks and is mended."""
        return LastingSandbox(Line(provider=provider, sandbox=sandbox, note=self._note))

    def _note(self, text: str) -> None:
        """Tell what is no step's."""
        self._context.recorder.note("", text)

    def _planned(self, name: str) -> PlannedSandbox:
        return self._context.plan.sandboxes[name]

    def _default_options(
        self, planned: PlannedSandbox, *, creator: bool = True
    ) -> dict[str, Bound]:
        step = planned.created_by if creator else None
        options = sandbox_options(self._context.runbook, step)
        scope = self._context.scope()
        return {key: evaluate(value, scope) for key, value in options.items()}  # type: ignore[arg-type]

    async def _make(self, planned: PlannedSandbox, options: Arguments) -> Live:
        selection = planned.selection
        attempts = list(words_for(selection.passed_over))
        for skipped in selection.passed_over:
            self._tried(skipped.name, skipped.outcome, skipped.reason, 0.0)
        for candidate in selection.candidates:
            began = monotonic()
            try:
                live = await self._create(planned, candidate.name, options)
            except UndecidedError as stop:
                attempts.append((candidate.name, str(stop)))
                kind = type(stop.error).__name__
                self._tried(candidate.name, kind, str(stop), monotonic() - began)
                raise CannotStart(
                    NoProvider(attempts, remedy=stop.error.remedy)
                ) from stop
            except ProviderUnavailable as error:
                attempts.append((candidate.name, told(error)))
                kind = type(error).__name__
                self._tried(candidate.name, kind, str(error), monotonic() - began)
            except SandbookError as error:
                kind = type(error).__name__
                self._tried(candidate.name, kind, str(error), monotonic() - began)
                raise CannotStart(error) from error
            else:
                self._tried(candidate.name, "created", "", monotonic() - began)
                return live
        raise CannotStart(NoProvider(attempts, remedy="run `sandbook doctor`"))

    def _tried(self, name: str, outcome: str, reason: str, seconds: float) -> None:
        self._context.recorder.emit(
            "provider.tried",
            provider=name,
            outcome=outcome,
            reason=reason,
            seconds=round(seconds, 4),
        )

    async def _create(
        self, planned: PlannedSandbox, provider_name: str, options: Arguments
    ) -> Live:
        provider = self._context.installation.provider(provider_name)
        options = self._timed(provider, options)
        packages = Packages.of(options)
        reserved = await self._reservations.reserve(
            provider_name, planned.name, options
        )
        spec = make_spec(self._context, planned, options, labels=reserved.labels)
        self._context.recorder.emit(
            "sandbox.creating",
            name=planned.name,
            provider=provider_name,
            key=reserved.key,
            reservation=reserved.id,
        )
        sandbox = await Create(
            provider=provider,
            spec=spec,
            reserved=reserved,
            reservations=self._reservations,
            note=self._note,
        ).sandbox()
        live = Live(
            name=planned.name,
            sandbox=self._lasting(provider, sandbox),
            provider=provider,
            reservation=reserved.id,
            lifetime=spec.lifetime,
            env=spec.env,
            expires_at=None,
            began=monotonic(),
            packages=packages,
        )
        self._live[planned.name] = live
        self._tasks.start_soon(self._keep_alive, live)
        await self._record(live)
        return live

    async def _record(self, live: Live) -> None:
        # It exists: a cancellation now must not lose it between ledger and journal.
        with anyio.CancelScope(shield=True):
            info = await self._told(live)
            live.expires_at = info.expires_at
            await self._reservations.bound(
                live.reservation, info.ref, expires_at=info.expires_at
            )
            fields = facts(live.name, live.sandbox, info)
            self._context.recorder.emit("sandbox.created", **fields)

    async def _told(self, live: Live) -> SandboxInfo:
        """What its provider says of it; where it does not answer, what we know."""
        try:
            return await live.sandbox.info()
        except ProviderError:
            can = live.provider.info.capabilities(
                self._context.installation.settings_of(live.sandbox.ref.provider)
            )
            return SandboxInfo(
                ref=live.sandbox.ref,
                state="running",
                labels={},
                metadata={},
                expires_at=None,
                isolation=can.isolation,
            )

    async def _keep_alive(self, live: Live) -> None:
        while not live.ended:
            pause = min(live.lifetime / HEARTBEATS, LONGEST_BEAT)
            await anyio.sleep(max(pause, SHORTEST_BEAT))
            if not live.ended:
                await self._beat(live)

    async def _beat(self, live: Live) -> None:
        expires_at = None
        # The step that uses it finds out, with a better message than ours.
        with suppress(SandbookError):
            expires_at = await live.sandbox.extend(live.lifetime)
        if live.ended:
            return
        await self._reservations.renew(live.reservation, expires_at)
        if expires_at is None:
            return
        live.expires_at = expires_at
        self._context.recorder.emit(
            "sandbox.extended", name=live.name, expires_at=expires_at.isoformat()
        )

    async def end(self, name: str) -> None:
        """Destroy a sandbox.

        Raises:
            TeardownFailed: It could not be; the message says until when it lives.
        """
        live = self.peek(name)
        if live is None:
            return
        self.interpreters.forget(live.sandbox)
        try:
            how = await self._destroy(live)
        except TeardownFailed:
            # Nobody speaks for it any more, so that a reap need not wait for us.
            await self._reservations.leave(live.reservation, keep_until=None)
            raise
        live.ended = True
        await self._settle(live, how)

    async def _destroy(self, live: Live) -> str:
        for left in reversed(range(DESTROY_TRIES)):
            try:
                return await live.provider.destroy(live.sandbox.ref)
            except SandbookError as error:
                if not left:
                    raise not_destroyed(live, error) from error
                await anyio.sleep(0.2)
        raise AssertionError("unreachable")  # pragma: no cover

    async def leave(self, name: str) -> None:
        """Let a sandbox live on until its end of life, without us."""
        live = self.peek(name)
        if live is None:
            return
        live.ended = True
        self.interpreters.forget(live.sandbox)
        await self._reservations.leave(live.reservation, keep_until=live.expires_at)
        await live.sandbox.aclose()

    async def _settle(self, live: Live, how: str) -> None:
        seconds = monotonic() - live.began
        await self._reservations.committed(live.reservation)
        self._context.recorder.emit(
            "sandbox.ended", name=live.name, how=how, seconds=math.ceil(seconds)
        )
        await live.sandbox.aclose()

    async def quota(self) -> dict[str, JSON]:
        """Sessions of this month used and allowed, by provider that was used."""
        used: dict[str, JSON] = {}
        for live in self._live.values():
            provider = live.sandbox.ref.provider
            used[provider] = await self._reservations.month_of(provider)
        return used

    def remaining(self) -> tuple[str, ...]:
        """Sentences about what is alive, for somebody who leaves in a hurry."""
        return tuple(
            f"sandbox {live.sandbox.ref.id} ({live.sandbox.ref.provider}) lives until "
            f"{live.expiry()}"
            for live in map(self._live.__getitem__, self.names())
        )
