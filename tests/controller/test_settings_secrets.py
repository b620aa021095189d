"""A wrong setting is told without its value where that is a secret; no setting opens a browser to others."""

import pytest

from controller.settings import Settings, SettingsError, read_settings

TOKEN = "7000000001:" + "AA-nobodys_" * 3 + "xy"


@pytest.fixture
def read(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def read(**settings):
        for name, value in ({"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_ADMIN_IDS": "1"} | settings).items():
            monkeypatch.setenv(name, value)
        return read_settings(None)

    return read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BROWSER_ARGS", "--proxy-server=http://ada:hunter2@proxy:1 'open"),
        ("BROWSER_ARGS", "--proxy-server=http://ada:hunter2@proxy:1 --remote-debugging-port=1"),
        ("TELEGRAM_API_URL", "ftp://ada:hunter2@api"),
    ],
)
def test_a_wrong_value_that_may_hold_a_secret_is_not_shown(read, name, value):
    with pytest.raises(SettingsError) as error:
        read(**{name: value})

    assert str(error.value).startswith(f"{name}: ")
    assert "hunter2" not in str(error.value)


def test_neither_a_wrong_setting_nor_the_settings_themselves_show_the_token(read):
    with pytest.raises(SettingsError) as error:
        read(HEALTH_CHECK_SECONDS="soon")

    assert TOKEN not in f"{error.value!r} {read(HEALTH_CHECK_SECONDS='1')!r}"


@pytest.mark.parametrize(
    "argument",
    [
        "--remote-debugging-port=9222",
        "--remote-debugging-port",
        "-remote-debugging-address=0.0.0.0",
        "--Remote-Debugging-Port=0",
        "--remote-allow-origins=*",
        "--user-data-dir=/tmp/elsewhere",
    ],
)
def test_no_argument_opens_an_account_to_others(read, argument):
    with pytest.raises(SettingsError, match="BROWSER_ARGS: cannot take"):
        read(BROWSER_ARGS=f"--lang=de {argument}")


def test_other_arguments_are_split_as_a_shell_does(read):
    arguments = read(BROWSER_ARGS="--lang=de '--proxy-server=socks5://127.0.0.1:1' --x=$(id)").browser_args

    assert arguments == ("--lang=de", "--proxy-server=socks5://127.0.0.1:1", "--x=$(id)")
