"""Limits: the variable first, then the settings, then what is built in."""

from __future__ import annotations

import pytest

from sandbook.api import JSON
from sandbook.errors import UsageError
from sandbook.ledger import Limits, limits_for


@pytest.mark.parametrize(
    ("provider", "sessions"),
    [
        ("daytona", 5000),
        ("runloop", 5000),
        ("microsandbox", 10_000),
        ("e2b", 1000),
        ("docker", None),
        ("local", None),
        ("somebody-elses", None),
    ],
)
def test_every_provider_has_a_built_in_limit(
    provider: str, sessions: int | None
) -> None:
    assert limits_for(provider, {}, {}) == Limits(sessions=sessions)


def test_settings_come_before_what_is_built_in() -> None:
    settings = {"e2b": {"sessions": 20, "seconds": 3600, "concurrent": 2}}
    limits = limits_for("e2b", {}, settings)
    assert (limits.sessions, limits.seconds, limits.concurrent) == (20, 3600, 2)
    assert limits.sources["seconds"] == "quotas.e2b.seconds"
    assert limits_for("daytona", {}, settings) == Limits(sessions=5000)


def test_the_variable_comes_before_the_settings() -> None:
    settings = {"e2b": {"sessions": 20, "seconds": 3600}}
    limits = limits_for("e2b", {"QUOTA_E2B_MONTHLY": "7"}, settings)
    assert (limits.sessions, limits.seconds) == (7, 3600)
    assert limits.sources["sessions"] == "QUOTA_E2B_MONTHLY"


@pytest.mark.parametrize(
    ("text", "sessions"),
    [("0", 0), ("unlimited", None), (" 12 ", 12), ("", 1000), ("  ", 1000)],
)
def test_zero_disables_and_unlimited_is_a_value(
    text: str, sessions: int | None
) -> None:
    assert limits_for("e2b", {"QUOTA_E2B_MONTHLY": text}, {}).sessions == sessions


def test_settings_may_say_unlimited() -> None:
    settings: dict[str, JSON] = {"e2b": {"sessions": "unlimited", "seconds": 0}}
    assert limits_for("e2b", {}, settings).sessions is None
    assert limits_for("e2b", {}, settings).seconds == 0


def test_a_dash_of_the_name_is_an_underscore_of_the_variable() -> None:
    environ = {"QUOTA_MY_CLOUD_MONTHLY": "3"}
    assert limits_for("my-cloud", environ, {}).sessions == 3


@pytest.mark.parametrize(
    "text", ["-1", "1.5", "1000/month", "1e3", "many", "0x10", "٣", "9" * 16, "9" * 40]
)
def test_a_bad_variable_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="QUOTA_E2B_MONTHLY") as caught:
        limits_for("e2b", {"QUOTA_E2B_MONTHLY": text}, {})
    assert repr(text) in str(caught.value)
    assert "QUOTA_E2B_MONTHLY" in caught.value.remedy


@pytest.mark.parametrize("value", [True, -1, 2.5, None, "lots", [1], {"a": 1}])
def test_a_bad_setting_is_refused_by_name(value: JSON) -> None:
    with pytest.raises(UsageError, match=r"quotas\.e2b\.seconds"):
        limits_for("e2b", {}, {"e2b": {"seconds": value}})


def test_an_unknown_meter_is_refused() -> None:
    with pytest.raises(UsageError, match="no meter 'session'") as caught:
        limits_for("e2b", {}, {"e2b": {"session": 1}})
    assert "sessions" in caught.value.remedy


def test_limits_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(UsageError, match=r"quotas\.e2b is 20"):
        limits_for("e2b", {}, {"e2b": 20})
