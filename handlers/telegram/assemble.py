"""Makes the parts of Telegram's side in their order, each whole when it is made, and ties them together."""

from collections.abc import Callable
from datetime import UTC, datetime

from controller.tasks import Tasks
from handlers.alerts.owed import OutboxStore, Owing
from handlers.alerts.recipients import Recipients
from handlers.alerts.sender import Context
from handlers.alerts.service import Alerts
from handlers.alerts.silencing import Silencing
from handlers.chat.people import People
from handlers.chat.rate_limits import Limits, RateLimits
from handlers.chat.send_queue import SendQueue
from handlers.ports import Accounts, Messages, Records
from handlers.telegram.actions.account_actions import AccountActions
from handlers.telegram.actions.alert_actions import AlertActions
from handlers.telegram.actions.restore import RestoreActions
from handlers.telegram.admin_notices import AdminNotices
from handlers.telegram.alert_chat import AlertChat
from handlers.telegram.bot import TelegramBot
from handlers.telegram.chats import ChatEvents, Chats
from handlers.telegram.commands.accounts import AccountCommands
from handlers.telegram.commands.alerts import AlertCommands
from handlers.telegram.commands.buttons import Buttons
from handlers.telegram.commands.help import HelpCommands
from handlers.telegram.commands.router import COMMANDS, Router
from handlers.telegram.connection import TelegramConnection
from handlers.telegram.service import TelegramOptions, TelegramService
from handlers.telegram.strangers import Strangers
from handlers.telegram.ui.cards import Cards
from handlers.telegram.ui.codes import Codes
from handlers.telegram.ui.responder import Responder


def utc_now() -> datetime:
    """Return the wall clock's time, aware, UTC."""
    return datetime.now(UTC)


def assemble(
    connection: TelegramConnection,
    options: TelegramOptions,
    *,
    accounts: Accounts,
    records: Records,
    messages: Messages,
    outbox: OutboxStore,
    clock: Callable[[], datetime] = utc_now,
    limits: Limits | None = None,
) -> TelegramService:
    """Return Telegram's side of the program, ready to run. Call it inside a running loop."""
    tasks, lasting = Tasks(), Tasks()
    people = People(options.admins, options.operators)
    recipients = Recipients(people)
    queue = SendQueue(connection.client, RateLimits(limits))
    events = ChatEvents()

    # What is sent by itself.
    silencing = Silencing(outbox, clock)
    context = Context(
        queue,
        accounts,
        outbox,
        silencing.lasting,
        clock,
        options.repeat_after,
        on_gone=events.gone,
        on_moved=events.moved,
    )
    alerts = Alerts(context, lasting)
    silencing.changed = alerts.wake_all
    owing = Owing(accounts, recipients)
    notices = AdminNotices(queue, tasks, recipients=recipients, outbox=outbox, alerts=alerts, clock=clock)
    alert_chat = AlertChat(options.alert_chat, queue=queue, lasting=lasting, recipients=recipients, notices=notices)
    codes = Codes(queue, tasks, accounts=accounts, recipients=recipients, messages=messages, clock=clock)
    cards = Cards(queue, tasks, accounts=accounts, recipients=recipients, messages=messages, clock=clock)
    chats = Chats(
        tasks,
        events,
        recipients=recipients,
        messages=messages,
        alerts=alerts,
        silencing=silencing,
        cards=cards,
        notices=notices,
    )

    # What people ask for.
    responder = Responder(queue, tasks, accounts=accounts, clock=clock)
    actions = AccountActions(
        people=people,
        accounts=accounts,
        responder=responder,
        codes=codes,
        records=records,
        tasks=tasks,
        clock=clock,
    )
    alert_actions = AlertActions(
        people=people,
        accounts=accounts,
        actions=actions,
        responder=responder,
        alerts=alerts,
        silencing=silencing,
        region=options.region,
        clock=clock,
    )
    restoring = RestoreActions(accounts=accounts, actions=actions, responder=responder, tasks=tasks, clock=clock)
    account_commands = AccountCommands(
        people=people,
        accounts=accounts,
        actions=actions,
        restoring=restoring,
        responder=responder,
        region=options.region,
        clock=clock,
    )
    topics = (
        account_commands,
        AlertCommands(alert_actions),
        HelpCommands(COMMANDS, people=people, accounts=accounts, responder=responder),
    )
    buttons = Buttons(
        people=people,
        accounts=accounts,
        actions=actions,
        alert_actions=alert_actions,
        restoring=restoring,
        responder=responder,
        records=records,
        clock=clock,
    )
    bot = TelegramBot(
        connection,
        people=people,
        strangers=Strangers(tasks, responder=responder, notices=notices, messages=messages, clock=clock),
        chats=chats,
        responder=responder,
        router=Router(topics, people=people, responder=responder, plain=account_commands.plain),
        buttons=buttons,
    )
    return TelegramService(
        connection=connection,
        bot=bot,
        queue=queue,
        tasks=tasks,
        lasting=lasting,
        recipients=recipients,
        outbox=outbox,
        owing=owing,
        alerts=alerts,
        silencing=silencing,
        notices=notices,
        responder=responder,
        codes=codes,
        cards=cards,
        alert_chat=alert_chat,
    )
