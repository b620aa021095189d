"""What a person asks for, by a message or by a press of a button: who, where, and in which words."""

from dataclasses import dataclass

from handlers.chat.messages import Place


@dataclass(frozen=True, slots=True)
class Request:
    """One message or one press of a known person.

    user, name: the person's id and what they are called. place: where they are answered. private: nobody else reads
    there. words: what follows the command, or the whole text where there is none; "" for a press.
    message: the message whose button was pressed, which becomes the answer; None where the answer is a new message.
    code: what the pressed button says, "" for a message.
    """

    user: int
    name: str
    place: Place
    private: bool
    words: str = ""
    message: int | None = None
    code: str = ""
