"""Texts of the feed of transitions, and the answers of /feed. HTML; pure."""

from collections.abc import Sequence

from controller.accounts.notices import Transition
from controller.accounts.reasons import Reason, State
from handlers.chat.messages import escape
from handlers.texts.display_state import past_display_state
from handlers.texts.vocabulary import WHY, span

HOW_TO = (
    "<code>/feed on</code> for all accounts, <code>/feed on Support</code> for those that a word or number fits, "
    "<code>/feed off</code>"
)
ONLY_ADMINS_IN_GROUPS = "In a group an admin chooses that. In your private chat with me you choose it for yourself."
BEGAN = (
    "📰 Each change of your first account comes here as a silent line. /feed off ends that, "
    "/feed on lists all accounts."
)
OFF = "📰 Changes are not listed here. The account’s cards and /status show how it is."


def line(transition: Transition, name: str) -> str:
    """Return one change of an account: from what to what, why, and when it is tried next. name: as HTML."""
    before = past_display_state(transition.before, Reason.UNKNOWN)
    now = past_display_state(transition.state, transition.reason)
    text = f"{name}: {before} → {now}"
    if transition.state is not State.CONNECTED:
        cause = transition.cause if transition.state is not State.CONNECTING else None
        text += f", {WHY[cause or transition.reason]}"
    if transition.next_retry_at is not None:
        text += f" · next try in {span(max(0.0, (transition.next_retry_at - transition.at).total_seconds()))}"
    return text


def lines(changes: Sequence[str], more: int) -> str:
    """Join changes into one text. more: the number of earlier ones that are left out."""
    return "\n".join([*([f"and {more} more before that"] if more else []), *changes])


def chosen(words: Sequence[str]) -> str:
    """Describe what a chat's feed lists. words: "" for all accounts, else names or words, as they were given."""
    if not words:
        return OFF
    if "" in words:
        return "📰 Each change of an account comes here as a silent line. /feed off ends that."
    which = ", ".join(f"<b>{escape(word)}</b>" for word in words)
    return f"📰 Each change of {which} comes here as a silent line. /feed off ends that."


def nothing_fits(word: str) -> str:
    """Answer a word that fits no account."""
    return f"No account fits “{escape(word)}”. /status lists them."
