"""A browser is found, or installed by whatever the machine offers; real commands, each a small script."""

import os

import pytest

from tools import install_browser

BROWSER = "#!/bin/sh\necho Chromium 150.0.1.2\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with nothing on it, whose commands are the scripts that a test puts there."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "downloads"))
    monkeypatch.delenv("CHROMIUM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(install_browser, "_PLAYWRIGHT", (str(programs / "playwright"),))
    put(programs, "playwright", "exit 1")
    return programs


def put(programs, name, script):
    """Make a command; it notes how it is called."""
    path = programs / name
    log = programs.parent / "calls"
    path.write_text(script if script.startswith("#!") else f'#!/bin/sh\necho "{name} $*" >> {log}\n{script}\n')
    path.chmod(0o755)


def calls(programs):
    log = programs.parent / "calls"
    return log.read_text().splitlines() if log.exists() else []


def installing(programs, name):
    """Shell that puts a browser there."""
    return f"printf '{BROWSER.encode('unicode_escape').decode()}' > {programs}/{name}; /bin/chmod +x {programs}/{name}"


def test_a_browser_that_is_there_is_used_and_nothing_is_run(machine, capsys):
    put(machine, "chromium", BROWSER)

    assert install_browser.main() == 0
    assert capsys.readouterr().out == f"Browser: {machine}/chromium (150.0.1.2)\n"
    assert calls(machine) == []


def test_a_wrong_choice_is_told_and_never_replaced(machine, monkeypatch, capsys):
    put(machine, "chromium", BROWSER)
    monkeypatch.setenv("CHROMIUM_PATH", "/nowhere/chromium")

    assert install_browser.main() == 1
    assert "CHROMIUM_PATH" in capsys.readouterr().err
    assert calls(machine) == []


def test_the_download_comes_first(machine):
    put(machine, "playwright", installing(machine, "chromium"))
    put(machine, "apt-get", "exit 1")

    assert install_browser.main() == 0
    assert calls(machine) == ["playwright install --only-shell --no-progress chromium"]


def test_the_systems_package_comes_where_nothing_can_be_downloaded(machine):
    put(machine, "apt-get", f'case "$*" in *headless*) exit 100;; install*) {installing(machine, "chromium")};; esac')

    assert install_browser.main() == 0
    assert calls(machine)[1:] == [
        "apt-get update",
        "apt-get install --yes --no-install-recommends chromium-headless-shell",
        "apt-get install --yes --no-install-recommends chromium",
    ]


def test_a_download_that_does_not_start_gets_its_libraries_or_goes(machine):
    broken = installing(machine, "chrome-headless-shell").replace("echo", "exit 127; echo")
    put(
        machine,
        "playwright",
        f'[ "$1" != install ] || {{ {broken}; }}\n[ "$1" != uninstall ] || /bin/rm {machine}/chrome*',
    )
    put(machine, "apt-get", f'[ "$1" != install ] || {{ {installing(machine, "chromium")}; }}')

    assert install_browser.main() == 0
    assert [call.split()[:2] for call in calls(machine)] == [
        ["playwright", "install"],
        ["playwright", "install-deps"],
        ["playwright", "uninstall"],
        ["apt-get", "update"],
        ["apt-get", "install"],
    ]


@pytest.mark.parametrize("sudo", [None, "exit 1"])
def test_without_rights_no_package_is_tried_and_one_line_says_what_to_do(machine, monkeypatch, capsys, sudo):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    put(machine, "apt-get", "exit 0")
    if sudo:
        put(machine, "sudo", sudo)

    assert install_browser.main() == 1
    assert not [call for call in calls(machine) if "apt-get" in call]
    assert "apt-get install chromium-headless-shell" in capsys.readouterr().err


def test_sudo_is_used_where_it_asks_for_no_password(machine, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    put(machine, "sudo", 'shift; [ "$1" = true ] || exec "$@"')
    put(machine, "apt-get", f'[ "$1" != install ] || {{ {installing(machine, "chromium")}; }}')

    assert install_browser.main() == 0
    assert "sudo -n apt-get update" in calls(machine)


def test_what_fails_is_told_in_one_line(machine, capsys):
    put(machine, "playwright", "echo noise; echo 'Error: the network is gone' >&2; echo more noise; exit 1")

    assert install_browser.main() == 1
    assert "  failed: Error: the network is gone\n" in capsys.readouterr().out
