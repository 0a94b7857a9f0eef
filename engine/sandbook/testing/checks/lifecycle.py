# ruff: noqa: S101, PLR2004 - checks are assertions about plain numbers
"""B: making, finding and ending sandboxes."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio

from sandbook.api import ISOLATIONS, Resources, Sandbox, SandboxRef, SandboxSpec
from sandbook.errors import AuthRejected, ProviderError, SandboxGone, SpecRejected
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, fails, skip, until
from sandbook.testing._steps import Steps

RUN_LABEL = "sandbook.run"


@check("B09")
async def create_returns_a_reference_with_id_and_provider(kit: Kit) -> None:
    box = await kit.box()
    assert box.ref.id
    assert box.ref.provider == kit.subject.info.name
    assert SandboxRef.from_json(box.ref.to_json()) == box.ref


@check("B10")
async def info_tells_state_creation_and_end_of_life(kit: Kit) -> None:
    before = datetime.now(UTC)
    box = await kit.box(lifetime=300.0, metadata={"purpose": "kit"})
    info = await box.info()
    assert info.ref == box.ref
    assert info.state == "running"
    assert info.isolation == kit.capabilities.isolation
    assert info.metadata["purpose"] == "kit"
    assert info.ref.created_at.tzinfo is not None
    assert abs(info.ref.created_at - before) < timedelta(seconds=60)
    if kit.has("lifetime"):
        assert info.expires_at is not None
        left = (info.expires_at - before).total_seconds()
        assert 200 < left < 400, f"{left} s are left of 300 s"


@check("B11", needs=["attach", "files"])
async def another_process_attaches_and_sees_the_files(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("note.txt", b"from the first process")
    told = await kit.elsewhere("read_file", ref=box.ref.to_json(), path="note.txt")
    assert base64.b64decode(str(told["data"])) == b"from the first process"


@check("B12", needs=["attach"])
async def attaching_to_an_unknown_id_is_sandbox_gone(kit: Kit) -> None:
    box = await kit.box()
    unknown = replace(box.ref, id=box.ref.id[:-4] + "0000")
    with fails(SandboxGone) as caught, anyio.fail_after(20):
        await kit.provider.attach(unknown)
    assert caught.error.provider == kit.subject.info.name
    assert caught.error.operation
    assert caught.error.remedy
    assert (await (await kit.provider.attach(box.ref)).info()).state == "running"


@check("B13", needs=["labels"])
async def list_finds_by_label_and_leaves_out_the_others(kit: Kit) -> None:
    mine, other = kit.name("run"), kit.name("run")
    box = await kit.box(labels={RUN_LABEL: mine, "sandbook.name": "one"})
    await kit.box(labels={RUN_LABEL: other, "sandbook.name": "one"})
    found = await kit.listed({RUN_LABEL: mine})
    assert [info.ref.id for info in found] == [box.ref.id]
    assert found[0].labels[RUN_LABEL] == mine
    assert found[0].labels["sandbook.name"] == "one"
    both = {RUN_LABEL: mine, "sandbook.name": "two"}
    assert await kit.listed(both) == [], "every label must match"


@check("B13b", needs=["labels"])
async def list_goes_on_after_the_first_page(kit: Kit) -> None:
    labels = {RUN_LABEL: kit.name("run")}
    made = {(await kit.box(labels=labels)).ref.id for _ in range(kit.options.page + 1)}
    assert {info.ref.id for info in await kit.listed(labels)} == made


@check("B14", needs=["labels", "attach"])
async def a_destroyed_sandbox_is_neither_listed_nor_attached(kit: Kit) -> None:
    labels = {RUN_LABEL: kit.name("run")}
    box = await kit.box(labels=labels)
    assert len(await kit.listed(labels)) == 1
    assert await kit.provider.destroy(box.ref) == "destroyed"
    with fails(SandboxGone):
        await kit.provider.attach(box.ref)

    async def unlisted() -> bool:
        return not await kit.listed(labels)

    await until(
        unlisted, within=kit.options.late, what="the list without the destroyed sandbox"
    )


@check("B15")
async def destroying_twice_says_already_gone(kit: Kit) -> None:
    box = await kit.box()
    assert await kit.provider.destroy(box.ref) == "destroyed"
    assert await kit.provider.destroy(box.ref) == "already_gone"


@check("B16", needs=["labels"])
async def destroying_with_a_rejected_key_is_not_called_gone(kit: Kit) -> None:
    wrong = kit.options.wrong_credentials
    if wrong is None:
        skip("it has no credentials to be wrong")
    labels = {RUN_LABEL: kit.name("run")}
    box = await kit.box(labels=labels)
    stranger = kit.subject.with_environ(wrong).make()
    with fails(AuthRejected):
        await stranger.destroy(box.ref)
    await stranger.aclose()
    assert len(await kit.listed(labels)) == 1


@check("B17", needs=["labels"])
async def cancelling_create_leaves_no_sandbox(kit: Kit) -> None:
    labels = {RUN_LABEL: kit.name("run")}
    steps = Steps()
    whole = kit.keep(await steps.take(_create(kit, labels)))
    assert len(await kit.listed(labels)) == 1
    for step in steps.to_try():
        with anyio.CancelScope() as scope:
            made = await Steps(step, scope).take(_create(kit, labels))
            with anyio.CancelScope(shield=True):
                await kit.provider.destroy(made.ref)

    async def only_the_first() -> bool:
        return [i.ref.id for i in await kit.listed(labels)] == [whole.ref.id]

    await until(only_the_first, within=kit.options.late, what="no cancelled sandbox")


async def _create(kit: Kit, labels: Mapping[str, str]) -> Sandbox:
    return await kit.provider.create(kit.spec(labels=labels), key=kit.name("key"))


@check("B18")
async def the_same_key_gives_the_same_sandbox(kit: Kit) -> None:
    key = kit.name("key")
    labels = {RUN_LABEL: kit.name("run")}
    first = kit.keep(await kit.provider.create(kit.spec(labels=labels), key=key))
    second = kit.keep(await kit.provider.create(kit.spec(labels=labels), key=key))
    assert second.ref.id == first.ref.id
    third = await kit.box(labels=labels)
    assert third.ref.id != first.ref.id
    if kit.has("labels"):
        assert len(await kit.listed(labels)) == 2


@check("B19", needs=["lifetime", "labels", "exec"])
async def a_sandbox_ends_with_its_lifetime_though_its_client_was_killed(
    kit: Kit,
) -> None:
    labels = {RUN_LABEL: kit.name("run")}
    marker = kit.name("left-over")
    spec = kit.spec(labels=labels, lifetime=kit.options.lifetime)
    packed = base64.b64encode(pickle.dumps(spec)).decode()
    program = f"(setsid sh -c 'while :; do sleep 1; done' {marker} &) ; sleep 600"
    async with kit.other_process(
        "create", spec=packed, key=kit.name("key"), program=program
    ) as client:
        ref = (await client.line())["ref"]
    assert isinstance(ref, dict)
    began = len(await kit.listed(labels))
    assert began == 1, "it must live on when its client is killed"
    seen_here = _seen_on_this_computer(marker)

    async def is_gone() -> bool:
        return not await kit.listed(labels)

    patience = kit.options.lifetime + kit.options.late
    await until(is_gone, within=patience, what="the end of its lifetime")
    with fails(SandboxGone):
        await kit.provider.attach(SandboxRef.from_json(ref))

    async def has_ended() -> bool:
        return not _seen_on_this_computer(marker)

    if seen_here:
        await until(
            has_ended,
            within=kit.options.patience,
            what="the end of what it had started",
        )


def _seen_on_this_computer(marker: str) -> bool:
    """Whether a process with this word in its arguments runs here; looks at /proc."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes():
                return True
        except OSError:
            continue
    return False


@check("B19b", needs=["exec"])
async def destroying_ends_every_process_of_the_sandbox(kit: Kit) -> None:
    box = await kit.box()
    marker = kit.name("left-over")
    loop = "while :; do sleep 1; done"
    await kit.run(box, f"(setsid sh -c '{loop}' {marker}-double &) ; true")
    await kit.start(box, f"sh -c '{loop}' {marker}-child", background=True)
    names = (f"{marker}-double", f"{marker}-child")

    async def are_there() -> bool:
        return all(_seen_on_this_computer(name) for name in names)

    try:
        await until(are_there, within=5, what="processes seen from here")
    except AssertionError:
        skip("its processes cannot be seen from here")
    assert await kit.provider.destroy(box.ref) == "destroyed"

    async def are_gone() -> bool:
        return not _seen_on_this_computer(marker)

    await until(
        are_gone, within=kit.options.patience, what="the end of what it had started"
    )


@check("B20", needs=["lifetime.extend"])
async def extend_moves_the_end_of_life_forward(kit: Kit) -> None:
    box = await kit.box(lifetime=120.0)
    before = (await box.info()).expires_at
    told = await box.extend(900.0)
    after = (await box.info()).expires_at
    assert before is not None
    assert told is not None
    assert after is not None
    assert after > before + timedelta(seconds=600)
    assert abs(after - told) < timedelta(seconds=30)


@check("B20b", needs=["lifetime.extend"])
async def extend_never_shortens(kit: Kit) -> None:
    box = await kit.box(lifetime=900.0)
    before = (await box.info()).expires_at
    await box.extend(60.0)
    after = (await box.info()).expires_at
    assert before is not None
    assert after is not None
    assert after >= before - timedelta(seconds=1)


@check("B20c", needs=["lifetime.extend"])
async def extend_does_not_pass_the_hard_end(kit: Kit) -> None:
    box = await kit.box(lifetime=60.0, max_lifetime=120.0)
    await box.extend(3600.0)
    after = (await box.info()).expires_at
    assert after is not None
    assert after <= box.ref.created_at + timedelta(seconds=125)


@check("B21", needs=["exec"], limit=300.0)
async def a_new_sandbox_is_ready_at_once(kit: Kit) -> None:
    for _ in range(kit.options.creations):
        box = await kit.box()
        assert (await kit.run(box, ("true",))).code == 0
        await kit.provider.destroy(box.ref)


@check("B22", needs=["labels"])
async def a_stronger_isolation_than_it_has_is_refused(kit: Kit) -> None:
    level = ISOLATIONS.index(kit.capabilities.isolation)
    if level == len(ISOLATIONS) - 1:
        skip("there is none stronger")
    await _is_refused(kit, isolation=ISOLATIONS[level + 1])


@check("B23", needs=["labels"], without=["net.off"])
async def a_network_that_cannot_be_cut_is_refused(kit: Kit) -> None:
    await _is_refused(kit, network="off")


@check("B24", needs=["labels"], without=["net.allow"])
async def an_allow_list_that_is_not_enforced_is_refused(kit: Kit) -> None:
    await _is_refused(kit, network=("example.org",))


@check("B25", needs=["labels"], without=["limits.memory"])
async def a_memory_limit_that_is_not_enforced_is_refused(kit: Kit) -> None:
    await _is_refused(kit, resources=Resources(memory=256 << 20))
    box = await kit.box(resources=Resources(memory=256 << 20, best_effort=True))
    assert (await box.info()).state == "running"


@check("B26", needs=["labels"])
async def an_unknown_option_is_refused_by_its_name(kit: Kit) -> None:
    error = await _is_refused(kit, options={"timeout_msx": 1})
    assert "timeout_msx" in str(error)


async def _is_refused(kit: Kit, **changes: object) -> ProviderError:
    """Require that a sandbox is refused, and that nothing was made."""
    labels = {RUN_LABEL: kit.name("run")}
    spec: SandboxSpec = kit.spec(labels=labels, **changes)
    with fails(SpecRejected) as caught:
        kit.keep(await kit.provider.create(spec, key=kit.name("key")))
    assert caught.error.remedy
    assert await kit.listed(labels) == []
    return caught.error


@check("B27", needs=["exec", "files"])
async def two_sandboxes_do_not_share_their_files(kit: Kit) -> None:
    one, two = await kit.box(), await kit.box()
    await one.files.write("mine.txt", b"one")
    await two.files.write("mine.txt", b"two")
    assert await kit.out(one, "cat mine.txt") == b"one"
    assert await two.files.read("mine.txt") == b"two"


@check("B28", needs=["exec", "attach"])
async def closing_a_sandbox_lets_it_live_on(kit: Kit) -> None:
    box = await kit.box()
    await box.aclose()
    again = kit.subject.make()
    other = await again.attach(box.ref)
    assert await kit.out(other, ("echo", "alive")) == b"alive\n"
    await other.aclose()
    await again.aclose()
