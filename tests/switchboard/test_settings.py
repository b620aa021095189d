"""A wrong setting is one line, without its value if that is secret; no setting exposes a browser to others."""

import pytest

from switchboard import logs, settings_files
from switchboard.settings import (
    Settings,
    SettingsError,
    choose_env_file,
    has_token,
    read_profile_settings,
    read_settings,
)

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
        ("TELEGRAM_PROXY", "socks4://ada:hunter2@proxy:1080"),
        ("TELEGRAM_PROXY", "socks5://ada:hunter2@proxy:port"),
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
    ("name", "value"),
    [
        ("TELEGRAM_BOT_TOKEN", TOKEN),
        ("TELEGRAM_ADMIN_IDS", "1001,1002"),
        ("TELEGRAM_ALERT_CHAT_ID", "-1001234567890"),
        ("PROXY_URL", "http://ada:hunter2@proxy:1"),
        ("HEARTBEAT_URL", "https://hc-ping.com/hunter2"),
        ("PROFILE_KEY", "hunter2hunter2"),
        ("ALERT_FALLBACK_URLS", "https://ntfy.sh/hunter2"),
        ("TIME_ZONE", "Europe/Berlin"),
        ("BROWSER_ARGS", "--lang=de"),
    ],
)
def test_what_nobody_can_see_is_refused_within_a_value_and_dropped_around_it(read, name, value):
    plain = read(**{name: value})
    for sign in "\u200b\ufeff\u2060\u00ad\u202e\x1b":
        assert read(**{name: f"{sign}{value} {sign}"}) == plain
        says = rf"^{name}: has an invisible character in it \(U\+{ord(sign):04X}\)"
        with pytest.raises(SettingsError, match=says) as error:
            read(**{name: f"{value[:3]}{sign}{value[3:]}"})
        assert "hunter2" not in str(error.value)
        assert TOKEN[5:] not in str(error.value)


@pytest.mark.parametrize(
    "token", ["7000000001", f"bot{TOKEN}", TOKEN.replace("AA", "\u0410A"), f"{TOKEN[:20]}\xa0{TOKEN[20:]}"]
)
def test_what_is_no_token_is_refused_without_being_shown(read, token):
    with pytest.raises(SettingsError, match=r"^TELEGRAM_BOT_TOKEN: is no bot's token") as error:
        read(TELEGRAM_BOT_TOKEN=token)
    assert "7000000001" not in str(error.value)


def test_a_token_may_be_one_of_telegrams_test_servers(read):
    assert read(TELEGRAM_BOT_TOKEN=f"{TOKEN}/test").telegram_bot_token.get_secret_value() == f"{TOKEN}/test"


def test_an_address_has_no_spaces(read):
    assert read(TELEGRAM_ADMIN_IDS="1001,\xa01002").telegram_admin_ids == (1001, 1002), "one between two values is none"
    with pytest.raises(SettingsError, match=r"^HEARTBEAT_URL: has a space in it"):
        read(HEARTBEAT_URL="https://hc-ping.com/1234\xa05678")


def test_the_mark_at_the_beginning_of_a_file_from_windows_is_no_part_of_a_name(tmp_path, monkeypatch, read):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfTIME_ZONE=Europe/Berlin\r\n")
    assert read().time_zone == "Europe/Berlin"


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


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("-1001234567890", (-1001234567890, None)),
        ("-1001234567890:7", (-1001234567890, 7)),
        ("@our_team", ("@our_team", None)),
    ],
)
def test_alerts_go_to_a_chat_a_topic_or_a_public_name(read, written, meant):
    destination = read(TELEGRAM_ALERT_CHAT_ID=written).telegram_alert_chat_id
    assert (destination.chat, destination.topic) == meant


@pytest.mark.parametrize("written", ["our team", "-100…:7", "1001:7", "-1001234567890:0", '{"chat": 1}', "[1]"])
def test_what_is_no_chat_is_refused_in_our_words(read, written):
    with pytest.raises(SettingsError, match=r"^TELEGRAM_ALERT_CHAT_ID: takes a (chat's id|topic)") as error:
        read(TELEGRAM_ALERT_CHAT_ID=written)
    assert "\n" not in str(error.value)


# --- what does not fit ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["https://", "https://a..b/", "https://web.whatsapp.com:99999/", "http://host:0", "http://[::1", "web"]
)
def test_an_address_without_a_host_is_refused(read, address):
    with pytest.raises(SettingsError, match=r"^WHATSAPP_WEB_URL: takes an address"):
        read(WHATSAPP_WEB_URL=address)


@pytest.mark.parametrize(
    ("keep_alive", "probe", "stale"), [("60", "10", "70"), ("200", "10", "200"), ("600", "10", "300")]
)
def test_a_stale_limit_that_no_answer_could_meet_is_refused(read, keep_alive, probe, stale):
    limits = {"KEEP_ALIVE_SECONDS": keep_alive, "PROBE_TIMEOUT_SECONDS": probe}
    with pytest.raises(SettingsError, match=r"^STALE_AFTER_SECONDS: must be more than"):
        read(**limits, STALE_AFTER_SECONDS=stale)
    assert read(**limits, STALE_AFTER_SECONDS=str(float(keep_alive) + float(probe) + 1))


def test_a_home_is_where_it_is_in_a_shell(read, monkeypatch):
    monkeypatch.setenv("HOME", "/ada")
    assert str(read(DATA_DIR="~/switchboard").data_dir) == "/ada/switchboard"


@pytest.mark.parametrize("content", [b"TELEGRAM_BOT_TOKEN=\xff\xfe", b"TELEGRAM_BOT_TOKEN=1:x\nDATA_DIR=/x\0\n"])
def test_an_env_file_that_cannot_be_read_is_one_line(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(content)
    for read_them in (read_settings, read_profile_settings):
        with pytest.raises(SettingsError, match=r"^\.env cannot be read: it is not UTF-8$"):
            read_them()
    assert has_token(), "the program itself is started, and says so"


# --- where they are found, and names that are none --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("HEALTH_CHECK_SECOND", "HEALTH_CHECK_SECONDS"),
        ("DATADIR", "DATA_DIR"),
        ("TELEGRAM_TOKEN", "TELEGRAM_BOT_TOKEN"),
        ("telegram_admin_id", "TELEGRAM_ADMIN_IDS"),
    ],
)
def test_a_name_that_looks_like_one_of_ours_is_refused_with_the_right_one(read, name, right):
    with pytest.raises(SettingsError, match=rf"^{name}: there is no such setting, the nearest is {right}$"):
        read(**{name: "5"})


@pytest.mark.parametrize(
    "name",
    ["PATH", "LOG_FILE", "HTTP_PROXY", "https_proxy", "PLAYWRIGHT_BROWSERS_PATH", "TELEGRAM_API_KEY", "DISPLAY", "PWD"],
)
def test_names_of_others_are_left_alone(read, name):
    read(**{name: "5"})


def test_in_our_own_file_a_name_need_be_less_alike(read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("HTTPS_PROXY=http://a:1\nMAX_RECONNECTS=3\n")
    with pytest.raises(SettingsError, match=r"^MAX_RECONNECTS: .*, the nearest is MAX_RECONNECT_ATTEMPTS$"):
        read()


def test_the_services_file_is_found_with_its_data(read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    system, data = tmp_path / "switchboard.env", tmp_path / "lib"
    data.mkdir()
    monkeypatch.setattr(settings_files, "SYSTEM", system)
    monkeypatch.setattr(settings_files, "SYSTEM_DATA_DIR", data)
    assert str(read().data_dir) == "data"
    system.write_text("LAUNCH_SLOTS=7\n")
    assert (read().launch_slots, read().data_dir) == (7, data)
    (tmp_path / ".env").write_text("LAUNCH_SLOTS=5\n")
    assert (read().launch_slots, str(read().data_dir)) == (5, "data"), "a file of this folder goes before"
    other = tmp_path / "other.env"
    other.write_text("LAUNCH_SLOTS=3\n")
    choose_env_file(other)
    assert read().launch_slots == 3
    choose_env_file(None)
    with pytest.raises(SettingsError, match=r"--env-file: .*nowhere is no file"):
        choose_env_file(tmp_path / "nowhere")


@pytest.mark.parametrize(("given", "slots"), [("auto", "auto"), ("AUTO", "auto"), ("1", 1), (" 12 ", 12), ("", "auto")])
def test_launch_slots_are_a_number_or_auto(read, monkeypatch, given, slots):
    monkeypatch.setenv("LAUNCH_SLOTS", given)
    assert read().launch_slots == slots


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5"])
def test_launch_slots_refuse_anything_else_in_one_line(read, monkeypatch, given):
    monkeypatch.setenv("LAUNCH_SLOTS", given)
    with pytest.raises(SettingsError, match=r"^LAUNCH_SLOTS: takes a whole number from 1 on, or auto \(it is '"):
        read()


@pytest.mark.parametrize("written", ["{} ", "\t{}\r", '"{}"', "'{}'", ' "{} " '])
def test_spaces_line_ends_and_quotes_around_a_value_are_not_part_of_it(read, written):
    """`docker run --env-file` passes on quotes, and a file written on Windows line ends."""
    plain = {
        "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_ADMIN_IDS": "1,2", "DATA_DIR": "/srv/two words", "LOG_LEVEL": "debug",
        "TIME_ZONE": "Europe/Berlin", "HEALTH_LISTEN": "127.0.0.1:9464", "KEEP_ALIVE_PRESENCE": "yes",
        "HEARTBEAT_URL": "https://hc.example/ping", "ALERT_FALLBACK_URLS": "json://a/ json://b/",
    }  # fmt: skip
    assert read(**{name: written.format(value) for name, value in plain.items()}) == read(**plain)


def test_a_value_of_nothing_but_spaces_or_quotes_is_not_set(read):
    assert read(DATA_DIR="  ", TIME_ZONE='""', PROFILE_KEY=" ") == read()


def test_quotes_within_a_value_stay(read):
    assert read(BROWSER_ARGS='"--user-agent=My Agent" "--x"').browser_args == ("--user-agent=My Agent", "--x")
    assert read(DATA_DIR='/srv/"a"').data_dir.name == '"a"'


@pytest.mark.parametrize("name", ["DATA_DIR", "BACKUP_DIR", "CHROMIUM_PATH", "HEALTH_TEXTFILE"])
def test_a_home_that_nobody_has_is_one_line(read, name):
    with pytest.raises(SettingsError, match=f"^{name}: .*home"):
        read(**{name: "~nobody-at-all/x"})


@pytest.mark.parametrize("address", ["https:///5up3r", "http://[::1", "https://hc.example:99999/5up3r", "hc.example/x"])
def test_a_heartbeat_without_a_host_is_refused_and_not_shown(read, address):
    with pytest.raises(SettingsError, match=r"^HEARTBEAT_URL: takes an address") as told:
        read(HEARTBEAT_URL=address)
    assert address not in str(told.value)


@pytest.mark.parametrize("proxy", ["socks4://ada:hunter2@proxy:1", "http://ada:hunter2@proxy:port"])
def test_a_proxy_of_the_environment_that_cannot_be_used_is_one_line(read, monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(SettingsError, match=r"environment.*takes http://") as told:
        read(TELEGRAM_PROXY="http://proxy:3128")
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("proxy", ["", "proxy:3128", "http://proxy:3128/", "socks5h://proxy:1080"])
def test_a_proxy_of_the_environment_that_can_be_used_is_none_of_our_business(read, monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    read()


def test_a_folder_that_cannot_be_searched_holds_no_env_file(read, monkeypatch, tmp_path):
    """`sudo -u switchboard switchboard status` in root's home."""

    def refused(self, **_):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(settings_files, "SYSTEM", tmp_path / "none")
    monkeypatch.setattr(settings_files.Path, "stat", refused)
    assert settings_files.find_env_file() is None


def test_what_is_secret_in_the_settings_is_never_logged(read, monkeypatch):
    monkeypatch.setattr(logs, "_hidden", [])
    settings = read(
        PROXY_URL="http://ada:hunt%40er2@proxy:3128",
        HEARTBEAT_URL="https://hc.example/ping/5up3r-long-key?key=an0ther-long-1",
        ALERT_FALLBACK_URLS="json://localhost/alerts mailtos://bob:s3cret@mail.example",
        PROFILE_KEY="AGE-SECRET-KEY-1XYZ",
    )
    logs.hide(settings.secrets())
    for said in (
        "GET /ping/5up3r-long-key HTTP/1.1", "invalid port: 'hunt@er2'", "bob:s3cret", "key=an0ther-long-1",
        "AGE-SECRET-KEY-1XYZ",
    ):  # fmt: skip
        shown = logs.redacted(said)
        assert "<secret>" in shown
        assert not any(each in shown for each in ("5up3r", "hunt@er2", "s3cret", "an0ther", "1XYZ"))
    assert logs.redacted("localhost alerts proxy") == "localhost alerts proxy"
