"""The fallback channel's configuration: an invalid address or a missing library is one line without secrets."""

import sys
from datetime import timedelta

import pytest
from pydantic import SecretStr

from switchboard.escalation_policy import escalation_policy
from switchboard.settings import Settings, SettingsError


def settings(**more: object) -> Settings:
    return Settings(telegram_bot_token=SecretStr("7:x"), telegram_admin_ids=(1,), **more)


def test_addresses_are_parted_by_spaces():
    escalation = escalation_policy(
        settings(alert_fallback_urls="json://localhost:1/  mailto://ada:hunter2@example.org\n")
    )

    assert escalation.way is not None
    assert escalation.way.names == ["1 (json)", "2 (mailto)"]
    assert (escalation.after, escalation.escalate_after) == (timedelta(seconds=180), timedelta(seconds=900))


def test_without_an_address_there_is_no_fallback():
    assert escalation_policy(settings()).way is None


def test_a_wrong_address_is_one_line_without_its_secret():
    with pytest.raises(SettingsError, match=r"^ALERT_FALLBACK_URLS: address 2 \(nonsense\)") as error:
        escalation_policy(settings(alert_fallback_urls="json://localhost nonsense://ada:hunter2@x"))

    assert "hunter2" not in str(error.value)


def test_a_missing_library_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.delitem(sys.modules, "switchboard.monitoring.fallback", raising=False)

    with pytest.raises(SettingsError, match=r"ALERT_FALLBACK_URLS: needs apprise.*switchboard\[monitoring\]"):
        escalation_policy(settings(alert_fallback_urls="json://localhost"))


def test_the_addresses_stand_in_no_picture_of_the_settings():
    assert "hunter2" not in repr(settings(alert_fallback_urls="mailto://ada:hunter2@example.org"))


@pytest.mark.parametrize("address", ["json://ada:hunter2@[::1", "hunter2:secret", "nonsense://hunter2@host"])
def test_what_apprise_cannot_read_is_one_line_without_the_secret(address):
    with pytest.raises(SettingsError, match="ALERT_FALLBACK_URLS: address 1") as told:
        escalation_policy(settings(alert_fallback_urls=address))
    assert "hunter2" not in str(told.value)
