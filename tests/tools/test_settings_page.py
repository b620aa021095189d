"""The page of settings contains each of them with its description and default."""

from pathlib import Path

from switchboard.settings import Settings
from tools import settings_page
from tools.settings_page import page

EXAMPLE = """# A word about the file.
# --- Telegram ----------------------------

# Who has it
# controls the bot.
TOKEN=

# --- Waiting ------

# How often, and how long: a|b.
# EVERY_SECONDS=30
# LONG_SECONDS=10
"""


def test_each_setting_is_on_the_page():
    found = page(settings_page.EXAMPLE.read_text("utf-8"))

    assert [name for name in Settings.model_fields if f"`{name.upper()}`" not in found] == []


def test_settings_stand_with_their_words_and_defaults():
    token, waits = (line for line in page(EXAMPLE).splitlines() if line.startswith("| <a"))

    assert token == '| <a id="token"></a>`TOKEN` | – | Who has it controls the bot. |'
    assert waits.startswith('| <a id="every_seconds"></a>`EVERY_SECONDS`<br><a id="long_seconds"></a>`LONG_SECONDS` |')
    assert waits.endswith("| `30`<br>`10` | How often, and how long: a\\|b. |")
    assert "A word about the file" not in page(EXAMPLE)


def test_a_page_that_is_not_current_is_told(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(settings_page, "PAGE", tmp_path / "settings.md")

    assert settings_page.main(["--check"]) == 1
    assert "make settings" in capsys.readouterr().err
    assert settings_page.main([]) == 0
    assert settings_page.main(["--check"]) == 0
