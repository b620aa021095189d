"""Nothing secret is written or passed on, nothing is exposed: all that a run leaves behind is searched."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

from tests.e2e.harness import ADMIN, NUMBER, OPERATOR, ROOT, STRANGER, Program, World, world
from tests.e2e.secrets import Secrets, listening, open_to_others, search_files, search_processes, words_of

BODY = "what-they-wrote-to-each-other-4711"


@asynccontextmanager
async def watching_codes(here: World, secrets: Secrets) -> AsyncIterator[None]:
    """Collect every code that any page shows meanwhile."""

    async def watch() -> None:
        while True:
            for shown in here.phones.codes():
                for code in (shown["qr"], shown["ref"]):
                    if code:
                        secrets.add_code(code)
            await asyncio.sleep(0.05)

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


def new_key() -> str:
    """Generate a key with the program's own command, as people do."""
    command = [sys.executable, "-m", "switchboard", "new-key"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def assert_closed(here: World, program: Program, secrets: Secrets) -> None:
    """Check files, processes and sockets as they are now."""
    me, *others = program.family()
    assert search_files(here.data_dir, secrets) == []
    assert open_to_others(here.data_dir) == []
    assert search_processes(others, secrets) == []
    assert secrets.found_in("\0".join(words_of(me)).encode()) == []
    assert listening([me, *others]) == []
    assert not [p for p in others if any("remote-debugging-port" in part for part in words_of(p))]
    assert not [words for p in (me, *others) for words in words_of(p) if NUMBER[1:] in words], "any user can read them"


async def press(here: World, user: int, text: str, label: str) -> None:
    """Send a command and press a button of the answer."""
    await here.client.send(user, text)
    message = await here.until(lambda: here.says("Attempts", user=user))
    await here.client.press_text(message["message_id"], label, user_id=user, chat_id=user)


@pytest.mark.e2e
@pytest.mark.chromium
@pytest.mark.timeout(500)
async def test_a_whole_run_leaves_no_secret_anywhere_and_no_door_open(tmp_path, capfd):
    secrets = Secrets(numbers=(NUMBER,))
    secrets.add("PROFILE_KEY", key := new_key())
    secrets.add("a message's text", BODY)
    texts = []
    async with world(tmp_path, first_ref=4, next_ref=20) as here, watching_codes(here, secrets):
        secrets.add_token(token := here.telegram.token)
        options = {"LOG_LEVEL": "DEBUG", "PROFILE_KEY": key}
        async with here.program(**options) as program:
            # several codes, one of them scanned
            await here.client.send(ADMIN, f"/link {NUMBER} Support Berlin")
            first = here.decode(await here.until(here.qr))
            await here.until(lambda: here.qr() and here.decode(here.qr()) != first)
            assert_closed(here, program, secrets)
            await here.scan()  # one of those that are watched
            await here.until_connected()
            here.phones.message(NUMBER, BODY)
            assert_closed(here, program, secrets)

            # a browser that is killed
            before = len(here.transitions())
            program.browser().send_signal(signal.SIGKILL)
            await here.until_connected(after=before)

            # strangers, an operator without rights, buttons, and nonsense
            for text in ("/start", token, f"/link {NUMBER}", f"/status {first}"):
                await here.client.send(STRANGER, text)
            for text in (f"/status {NUMBER}", f"/suspend {NUMBER}", f"/link {NUMBER} Mine"):
                await here.client.send(OPERATOR, text)
            await here.until(lambda: here.says("cannot link that number", user=OPERATOR))
            await press(here, ADMIN, f"/status {NUMBER}", "History")
            await here.until(lambda: here.says("the newest first"))

            # Telegram fails, and its error text contains the token
            for kind, rule in (
                ("500", {}), ("drop", {}), ("429", {}), ("lost", {}),
                ("400", {"description": f"Bad Request: {token} in https://api.telegram.org/bot{token}/sendMessage"}),
            ):  # fmt: skip
                here.client.fail(kind, count=1, method="sendMessage", **rule)
                await here.client.send(ADMIN, "/help")
                await here.until(lambda: not any(rule.count for rule in here.telegram.world.faults.rules))
            here.client.heal()
            await here.until(lambda: "<token>" in program.text)

            # the phone logs it out, and it is linked again but not scanned when the program stops
            here.phones.logout(NUMBER)
            await here.until(lambda: here.newest_state() == "DISCONNECTED")
            await here.client.send(ADMIN, f"/link {NUMBER}")
            await here.until(here.qr)
            assert_closed(here, program, secrets)
            program.send(signal.SIGTERM)
            assert await program.ended() == 0
            texts.append(program.text)

        # a kill with a code in the chat, then a token that is rejected during a run, and at the next start permanently
        async with here.program(**options, LOG_FORMAT="json") as program:
            await here.client.send(ADMIN, f"/link {NUMBER}")
            await here.until(lambda: here.qr() and here.rows("SELECT 1 FROM messages WHERE kind = 'code'"))
            program.send(signal.SIGKILL)
            await program.ended()
            texts.append(program.text)
        async with here.program(**options, LOG_FORMAT="json") as program:
            await here.until(lambda: here.qr() is None)
            here.client.fail("401", count=3, description=f"Unauthorized: {token}")
            await here.until(lambda: not any(rule.count for rule in here.telegram.world.faults.rules))
            before = here.says("/suspend")["message_id"]
            await here.client.send(ADMIN, "/help")
            await here.until(lambda: here.says("/suspend")["message_id"] > before)
            program.send(signal.SIGTERM)
            assert await program.ended() == 0, "a few refusals are no proof that the token is gone"
            texts.append(program.text)
        here.client.fail("401", description=f"Unauthorized: {token}")
        async with here.program(**options, LOG_FORMAT="json") as program:
            assert await program.ended() == 2
            texts.append(program.text)
        assert sum(word.startswith("2@") for word in secrets.words) >= 4, "codes were shown and looked for"
        written = "\n".join([*texts, *capfd.readouterr()])
        assert "State: IDLE → CONNECTING" in written
        assert secrets.found_in_log(written) == []
        assert search_files(here.data_dir, secrets) == []
        assert open_to_others(here.data_dir) == []
        assert "Traceback" not in texts[0]


# --- the search itself ----------------------------------------------------------------------------------------------


def secrets_of_somebody() -> Secrets:
    secrets = Secrets(numbers=(NUMBER,))
    secrets.add_token("7000000001:" + "AA-nobodys_" * 3)
    secrets.add_code(f"2@{'r/' * 30},{'k+' * 21}=,{'i' * 43}=,{'s' * 43}=,1")
    return secrets


@pytest.mark.parametrize(
    "text",
    [
        "https://api.telegram.org/bot7000000001:" + "AA-nobodys_" * 3 + "/getMe",
        "only " + "AA-nobodys_" * 3,
        "bot7000000001%3A" + "AA-nobodys_" * 3,
        ("AA-nobodys_" * 3).encode().hex(),
        "k+" * 21 + "=",
        "k%2B" * 21 + "%3D",
        "i" * 43 + "=",
        "2@" + "r/" * 30,
    ],
)
def test_the_search_finds_what_is_written_in_files(tmp_path, text):
    secrets, data_dir = secrets_of_somebody(), tmp_path / "data"
    own, browsers = data_dir / "run" / "x.json", data_dir / "profiles" / "49" / "Default" / "x"
    for path in (own, browsers):
        path.parent.mkdir(parents=True)
        path.write_text("nothing")
    assert search_files(data_dir, secrets) == []
    browsers.write_text(text)
    assert search_files(data_dir, secrets) == [], "what is the browser's is its own"

    for path, data in (
        (own, text.encode()),
        (own, text.encode("utf-16-le")),
        (data_dir / "switchboard.sqlite-wal", b"\0\1" + text.encode() + b"\xff"),
        (data_dir / "profiles" / "49" / "switchboard.json", text.encode()),
    ):
        path.write_bytes(data)
        assert len({line.partition(": ")[0] for line in search_files(data_dir, secrets)}) == 1, path
        path.unlink()


@pytest.mark.parametrize("number", [NUMBER, NUMBER[1:], "+49 1511 234567", "+49-1511-234567"])
def test_the_search_finds_numbers_in_logs_alone(number):
    secrets = secrets_of_somebody()

    assert secrets.found_in_log(f"x {number} y") == ["a whole phone number"]
    assert secrets.found_in(number.encode()) == []
    assert secrets.found_in_log("•••4567 pid 1511234567") == []


def test_the_search_finds_open_files_secret_environments_and_doors(tmp_path):
    secrets, me = secrets_of_somebody(), psutil.Process()
    assert open_to_others(tmp_path) == []
    (tmp_path / "x").touch(0o640)
    (tmp_path / "x").chmod(0o640)
    assert open_to_others(tmp_path) == [f"{tmp_path}/x: -rw-r-----"]

    code = "import sys; print(flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    child = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"X": next(iter(secrets.words))}, **pipes)
    try:
        assert child.stdout is not None
        child.stdout.readline()  # from now on it has its environment
        assert len(search_processes([psutil.Process(child.pid)], secrets)) == 2
    finally:
        child.communicate()

    before = listening([me])
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as door:
            door.bind(("127.0.0.1", 0))
            if kind is socket.SOCK_STREAM:
                door.listen()
            (found,) = set(listening([me])) - set(before)
            assert str(door.getsockname()[1]) in found
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("\0switchboard-test-of-doors")
        door.listen()
        assert "switchboard-test-of-doors" in "".join(set(listening([me])) - set(before))
