"""All texts of the bot outside alerts, as complete messages in HTML. Short, warm, exact; no jargon.

Pure: statuses and times in, text out. The wording of states and reasons is in `handlers.texts.vocabulary`,
buttons are in `handlers.telegram.ui.keyboards`, alerts in `handlers.alerts.incidents.incident_text`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import unescape

from controller.accounts.e164 import mask
from controller.registry import Account
from handlers.chat.messages import escape
from handlers.chat.people import Role
from handlers.chat.request import without_secrets
from handlers.texts.phone_numbers import EXAMPLE, show_number
from handlers.texts.vocabulary import clock, count, span

WORKING_ON_IT = "⏳ "


def title(account: Account) -> str:
    """Return the account's name, or its number if it has none."""
    return escape(account.name) if account.name else show_number(account.number)


def number_title(number: str) -> str:
    """Return a number that stands for an account without a name."""
    return show_number(number)


def removed_title(number: str) -> str:
    """Return what an account is called that was removed: its name is deleted, and its number is shown no more."""
    return f"Removed account {mask(number)}"


def topic_name(name: str) -> str:
    """Return the name of an account's forum topic: plain text, at most 128 characters."""
    return unescape(name)[:128]


def title_and_number(account: Account) -> str:
    """Return the account's name in bold, and its number."""
    number = show_number(account.number)
    return f"<b>{escape(account.name)}</b> · {number}" if account.name else f"<b>{number}</b>"


# --- help -----------------------------------------------------------------------------------------------------------


def help_text(user: int, *, role: Role, accounts: int, commands: Iterable[tuple[str, str]]) -> str:
    """Answer /start and /help for a person with a role. commands: each with its description."""
    you = {
        Role.VIEWER: "a viewer: you see every account, and can acknowledge alerts",
        Role.OPERATOR: "an operator: you can act on the accounts you linked",
        Role.ADMIN: "an admin: you can act on every account",
    }[role]
    links = role > Role.VIEWER
    are = "is" if accounts == 1 else "are"
    have = f"You have {count(accounts, 'account')}." if links else f"There {are} {count(accounts, 'account')}."
    if not accounts:
        have = "You have no account yet; begin with /link." if links else "There is no account yet."
    examples = (
        f"For example:\n<code>/link {EXAMPLE} Support Berlin</code>\n<code>/silence all 2h maintenance</code>"
        if links
        else "For example:\n<code>/status Support Berlin</code>"
    )
    rows = "\n".join(f"<b>{escape(line)}</b> – {escape(summary)}" for line, summary in commands)
    return (
        f"👋 <b>Switchboard</b> keeps WhatsApp accounts linked, and tells you when one needs you.\n"
        f"You are {you}. {have}\n\n"
        f"{rows}\n\n"
        f"An account can be named by its number, its last four digits, or its name. {examples}\n"
        f"Your Telegram id is <code>{user}</code>."
    )


def help_of_command(line: str, text: str) -> str:
    """Answer /help with a command's name."""
    return f"<b>{escape(line)}</b>\n{escape(text[:1].upper() + text[1:])}."


def stranger(user: int) -> str:
    """Answer a stranger's /start: their own id and nothing more."""
    return f"Your Telegram id is <code>{user}</code>."


# --- answers to commands --------------------------------------------------------------------------------------------


def ask_number(example: str = EXAMPLE) -> str:
    """Answer /link without a number."""
    return f"Which number shall I link? Send it like <code>{example}</code>; a name may follow."


def cannot_write_privately(account: Account) -> str:
    """Explain in a group that the bot cannot write to the person privately."""
    return (
        f"I cannot write to you privately yet, so the code for {title_and_number(account)} waits.\n"
        f"Open a chat with me, press Start, and send /link {account.number} there."
    )


def taken_by(account: Account, name: str) -> str:
    """Tell the second operator who is working on it."""
    return (
        f"{escape(name)} is linking {title_and_number(account)} right now, and has the code.\n"
        f"Ask them, or send /link again when they are done."
    )


def no_accounts(*, links: bool) -> str:
    """Tell that there is no account to see. links: the reader may link one, and need not see others’."""
    return f"You have no account yet. Begin with <code>/link {EXAMPLE}</code>" if links else "There is no account yet."


def pick(what: str) -> str:
    """Ask which account is meant."""
    return f"Which account shall I {what}?"


NOTHING_TO_PICK = "No account needs that now. /status shows them all."
ONLY_COMMANDS = "I understand commands. /status shows the accounts, /help what else I can do."
NOT_YOURS = "That account is somebody else’s. Its operator or an admin can do that."
NOT_FOR_YOU = "I cannot link that number for you. If it should be linked, ask an admin."
"""Reveals nothing else about the number: whoever may link need not know whose account it is."""
ACCOUNT_GONE = "That account is not there any more. /status shows those that are."
SHUTTING_DOWN = "Switchboard is stopping right now. Send that again in a minute."
NOT_KEPT = (
    "I could not save that: the database cannot be written. Nothing was changed; an admin should look at the disk."
)
FAILED = "That did not work, for a reason I did not expect. It is in the log; please try again."
NOT_SENT = "Telegram did not take my answer. The log says why; /status shows how things are."
STALE_BUTTON = "This button is from an older message. Send /status for a fresh one."
NOT_YOUR_BUTTON = "This question was put to somebody else."
TOO_LATE = "That question has expired. Nothing was changed; ask for it again."
EXPIRED = "⌛ This question has expired; I did nothing about it."
DONE_ALREADY = "That is done already."
ON_IT = "🔄 Starting them, one after the other."
CANCELLED = "Cancelled. Nothing was changed."
LEFT = "Left as it is. /status shows how things are."


CONTINUED = "Continue is pressed."
NO_DIALOG = "There is no such dialog any more."
GOES_ON = "Planned restarts go on."
NOT_ASKED = "That is not asked any more."
ANOTHER_ASKED = "Another number is open by now: look at it first. Nothing was changed."
NOTHING_HELD = "Nothing waits for that any more."
ONLY_ADMINS = "Only admins may do that."
ANONYMOUS = (
    "I cannot see who you are: you write as the group, or as a channel. Write as yourself (as an admin, turn off "
    "“Remain anonymous”), or write to me privately."
)
IN_A_CHANNEL = (
    "I take no commands in a channel, since I cannot see who writes: send that to me privately, or in a group. Alerts "
    "may come here, if TELEGRAM_ALERT_CHAT_ID names this channel, and their buttons work."
)
EDITED = "I do not follow edits: send the command anew."
CAPTION = "I do not follow what is written below pictures and files: send the command as a message of its own."
ANSWERED_PRIVATELY = "I may not write here: my answer is in our private chat."
NOWHERE_TO_ANSWER = (
    "I may not write here, nor to you privately. Send me /start in a private chat, then press again; or give me the "
    "right to write here."
)
TOO_MUCH_AT_ONCE = "That was too much at once: I left out some of it. /status shows how the accounts are."
UNREADABLE = (
    "📭 Telegram sent me something that I cannot read, and I left it out. If something you sent was not answered, "
    "send it again; the log says more. I will not tell you of it again."
)
WEBHOOK_TAKEN = "The webhook is gone: I hear you again."
WEBHOOK_NOT_TAKEN = "The webhook could not be taken back. It is in the log; please try again."


def silence_of(chat: int, seconds: float) -> str:
    """Report that Telegram demands a long silence in a chat."""
    return (
        f"📪 Telegram lets me answer nobody in chat <code>{chat}</code>, for another {span(seconds)} as it says. "
        "I try again every few minutes."
    )


def silence_here(seconds: float) -> str:
    """Say so above the chat itself, where nothing else can be said. Plain text."""
    return (
        f"Telegram lets me write nothing here, for another {span(seconds)} as it says. I try again every few minutes."
    )


def for_another_bot(name: str, own: str) -> str:
    """Answer a command that names another bot, in our own chat."""
    return f"That is for @{escape(name)}, and I am @{escape(own)}: I did nothing. Send it without the name."


def late_answer(seconds: float) -> str:
    """Precede an answer that could not be sent for long."""
    return f"⏳ This answer is {span(seconds)} old: Telegram took none meanwhile."


def unreachable(chat: int, waiting: int) -> str:
    """State that a chat cannot be written to. waiting: alerts that wait for it."""
    waits = "" if not waiting else f": {count(waiting, 'alert')} {'waits' if waiting == 1 else 'wait'} there"
    return f"📪 I cannot write to chat <code>{chat}</code>{waits}."


def quoted(words: str) -> str:
    """Quote what somebody sent."""
    return f"<code>{escape(clip(without_secrets(words), 200), isolated=False)}</code>"


def pressed(label: str, account: Account | None) -> str:
    """Describe which button somebody pressed."""
    return f"<b>{escape(label)}</b>" + (f" for {title_and_number(account)}" if account is not None else "")


def still_to_be_done(what: str, age: timedelta) -> str:
    """Ask whether to carry out what was sent some time ago."""
    return f"This came late, {span(age.total_seconds())} after you sent it: {what}\nShall I still do it?"


def forwarded(what: str) -> str:
    """Ask whether to carry out what was forwarded."""
    return f"You forwarded this: {what}\nShall I do it?"


def interrupted(what: str) -> str:
    """Ask about what was in progress when the program ended."""
    return (
        f"⚠️ I was stopped while I was doing this: {what}\n"
        "It may be done, or not: /status shows how things are. Shall I do it now?"
    )


def taken_up(what: str) -> str:
    """Announce that an earlier press is being carried out; it is answered where it was pressed."""
    return f"🔄 On it: {what}"


_SUGGESTED = 5
"""How many of the accounts that may be meant are listed."""


def unknown_account(asked: str, meant: Sequence[Account] = (), *, links: bool, buttons: bool = True) -> str:
    """Answer an unknown number or name.

    meant: those that it may mean, if any; buttons: whether each has one below. links: as in `no_accounts`.
    """
    no_such = f"No account is called “{escape(clip(asked))}”."
    if len(meant) == 1:
        return f"{no_such} Did you mean {title(meant[0])}?"
    if meant and buttons:
        return f"{no_such} Did you mean one of these?"
    if meant:
        more = [] if len(meant) <= _SUGGESTED else [f"and {len(meant) - _SUGGESTED} more"]
        return "\n".join([f"{no_such} Did you mean one of these?", *map(title_and_number, meant[:_SUGGESTED]), *more])
    adds = f"; /link {EXAMPLE} adds one" if links else ""
    return f"{no_such} /status lists them{adds}."


HOW_TO_RENAME = (
    "Say which account, by its number, its last four digits or its name, and then the new name:\n"
    "<code>/rename 4567 Support Hamburg</code>"
)


def several_to_rename(asked: str) -> str:
    """Answer /rename for an ambiguous name."""
    return f"More than one account fits “{escape(clip(asked))}”. Use the whole number."


def renamed(before: Account, after: Account) -> str:
    """Answer /rename."""
    return f"✏️ {title(before)} is now called {title_and_number(after)}."


def refused(error: Exception) -> str:
    """Answer an invalid number or name; the error's text is for people."""
    return escape(str(error))


def did_you_mean_link(number: str) -> str:
    """Answer a bare number without a command."""
    return f"To link that number, send <code>/link {number}</code>"


def only_admins_command(word: str) -> str:
    """Answer a command that needs an admin."""
    return f"{escape(clip(word))} is for admins only. /help shows what I can do for you."


def unknown_command(word: str, meant: str | None = None) -> str:
    """Answer an unknown command. meant: the closest existing one."""
    nearest = f"Did you mean /{meant}?" if meant else "/help shows what I can do."
    return f"I do not know {escape(clip(word))}. {nearest}"


def bare_word(meant: str) -> str:
    """Answer a word that would be a command with a slash in front. meant: the command."""
    return f"I understand commands, which begin with a slash. Did you mean /{meant}?"


def ambiguous(asked: str) -> str:
    """Ask which of several accounts is meant."""
    return f"More than one account fits “{escape(clip(asked))}”. Which one?"


def confirm_suspend(account: Account) -> str:
    """Ask for confirmation before an account is closed."""
    return f"Suspend {title_and_number(account)}? Its browser is closed; its session is kept. (60 s to answer)"


def confirm_use_here(account: Account) -> str:
    """Ask for confirmation before a session is taken over."""
    return f"Use {title_and_number(account)} here? WhatsApp Web closes where it is open now. (60 s to answer)"


def confirm_number(account: Account, masked: tuple[str, str], *, same: bool) -> str:
    """Ask for confirmation of whose number it is. masked: the logged-in number and the account's, as displayed."""
    one, other = masked
    if same:
        return (
            f"Is {one}, which is open as {title_and_number(account)}, the same account as {other}? It is taken for it"
            " from then on. (60 s to answer)"
        )
    return (
        f"Log out {one}, which is open as {title_and_number(account)} ({other})? Its phone has to be linked again after"
        " that. (60 s to answer)"
    )


def number_confirmed(account: Account, *, same: bool) -> str:
    """Announce what follows from a person's answer about a number."""
    if same:
        return f"✅ {title_and_number(account)}: that number is taken for the account’s from now on."
    return (
        f"🔄 {title_and_number(account)}: that number is logged out, at once or when it is next open."
        " An alert tells how it ends."
    )


def number_not_asked(account: Account) -> str:
    """Explain that the question about a number is no longer open."""
    return f"{title_and_number(account)}: that is not asked any more. Nothing was changed."


# --- saved sessions -------------------------------------------------------------------------------------------------


def copy_label(at: datetime, size: int, now: datetime) -> str:
    """Label a saved session with its time and size."""
    return f"{clock(at, now)}, {size / 1e6:.1f} MB"


def saved_sessions(account: Account, copies: int) -> str:
    """Offer the saved sessions, with buttons below."""
    if not copies:
        return f"No session of {title_and_number(account)} is saved yet. One is saved each day while it is linked."
    return (
        f"{count(copies, 'saved session')} of {title_and_number(account)}. Choose one to put in the place of the"
        " present one, when that does not connect any more."
    )


def confirm_restore(account: Account, label: str) -> str:
    """Ask for confirmation before a session is replaced."""
    return (
        f"Put the session of {label} in the place of {title_and_number(account)}’s present one? It is closed for that;"
        " the present one is kept on the server. (60 s to answer)"
    )


def restoring(account: Account, label: str) -> str:
    """Announce that a session is being replaced."""
    return f"{WORKING_ON_IT}{title_and_number(account)}: restoring the session of {label} …"


def cause(error: Exception) -> str:
    """Return an operation's failure in words for a chat. A storage error names the server's paths: those stay there."""
    return "the database cannot be written" if isinstance(error, OSError) else str(error)


def restore_failed(account: Account, why: str) -> str:
    """Report that a session could not be replaced."""
    return f"⚠️ {title_and_number(account)}: {escape(why)}. Its present session is as it was."


def block_ends(at: datetime, now: datetime) -> str:
    """State when a ban ends; plain text."""
    return f"The block ends at {clock(at, now)}; it is tried once then."


def page_picture(number: str) -> str:
    """Caption the picture of a page that was not recognised."""
    return f"What {show_number(number)}’s page looked like."


def clip(text: str, limit: int = 60) -> str:
    """Shorten text to one line of at most so many characters."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def alert_chat_unknown(name: str, why: str) -> str:
    """Tell admins that the alert chat, given by its public name, cannot be found by the bot."""
    return (
        f"📪 Alerts are to go to {escape(name)}, and I cannot find that chat ({escape(why)}). "
        "They come here until I can: is the name right, and am I a member there?"
    )


def alert_chat_found(name: str) -> str:
    """Tell admins that the alert chat has been found after all."""
    return f"📬 I have found {escape(name)}: alerts go there from now on."


def alert_topic_gone(chat: int) -> str:
    """Tell admins that the topic that is set for alerts takes nothing any more."""
    return (
        f"🧵 The topic for alerts in <code>{chat}</code> is closed or deleted: they go to General there. "
        "Reopen it, or choose another one: an admin sends /here in it."
    )
