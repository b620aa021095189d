"""Creates the parts of the Telegram side in dependency order and connects them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from controller.hosts import Hosts
from controller.manager import utc_now
from controller.network.account_proxies import AccountProxies
from controller.registry import Registry
from controller.tasks import Tasks
from handlers.alerts.escalation.duty import Duty, DutyStore
from handlers.alerts.incidents.ledger import AlertStore
from handlers.alerts.incidents.recipients import Recipients
from handlers.alerts.service import Alerts
from handlers.chat.chat_settings import ChatSettings, ChatSettingsStore
from handlers.chat.people import People
from handlers.chat.rate_limits import Limits, RateLimits
from handlers.chat.send_queue import SendQueue
from handlers.ports import Messages, PeopleStore, Records, RequestStore
from handlers.telegram.actions.account_actions import AccountActions
from handlers.telegram.actions.alert_actions import AlertActions
from handlers.telegram.actions.alert_chat import AlertChat
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.delivery_check import DeliveryCheck
from handlers.telegram.actions.detail import Detail
from handlers.telegram.actions.linking import Linking
from handlers.telegram.actions.ownership import OwnershipActions
from handlers.telegram.actions.people import PeopleActions, Rights
from handlers.telegram.actions.restore import RestoreActions
from handlers.telegram.actions.status_list import StatusList
from handlers.telegram.bot import TelegramBot
from handlers.telegram.chats import Chats
from handlers.telegram.commands.accounts import AccountCommands
from handlers.telegram.commands.alerts import AlertCommands
from handlers.telegram.commands.audit import AuditCommands
from handlers.telegram.commands.buttons import Buttons
from handlers.telegram.commands.chat_settings import ChatSettingCommands
from handlers.telegram.commands.duty import DutyCommands
from handlers.telegram.commands.feed import FeedCommands, fits
from handlers.telegram.commands.help import HelpCommands
from handlers.telegram.commands.hosts import HostCommands
from handlers.telegram.commands.ownership import OwnershipCommands
from handlers.telegram.commands.people import PeopleCommands
from handlers.telegram.commands.proxies import ProxyCommands
from handlers.telegram.commands.router import COMMANDS, Router, listed
from handlers.telegram.connection import TelegramConnection
from handlers.telegram.inbox import Inbox
from handlers.telegram.intake import Intake
from handlers.telegram.menus import Menus
from handlers.telegram.poll_watch import PollWatch
from handlers.telegram.service import TelegramOptions, TelegramService
from handlers.telegram.strangers import Strangers
from handlers.telegram.telegram_clock import TelegramClock, since_boot
from handlers.telegram.ui.cards import Cards
from handlers.telegram.ui.codes import Codes
from handlers.telegram.ui.feed import Feed
from handlers.telegram.ui.link_queue_messages import LinkQueueMessages
from handlers.telegram.ui.link_queues import LinkQueues
from handlers.telegram.ui.questions import Questions
from handlers.telegram.ui.responder import Responder
from handlers.texts import answers


def assemble(
    connection: TelegramConnection,
    options: TelegramOptions,
    *,
    accounts: Registry,
    records: Records,
    messages: Messages,
    incidents: AlertStore,
    requests: RequestStore,
    roster: DutyStore,
    people_store: PeopleStore,
    chat_settings_store: ChatSettingsStore,
    proxies: AccountProxies,
    hosts: Hosts | None = None,
    clock: Callable[[], datetime] = utc_now,
    steady: Callable[[], float] = since_boot,
    limits: Limits | None = None,
) -> TelegramService:
    """Return the Telegram side of the program, ready to run. Call it inside a running loop.

    hosts: the machines, None where there is one alone. steady: as in `TelegramClock`.
    """
    tasks, lasting = Tasks(), Tasks()
    people = People(options.admins, options.operators, people_store)
    recipients = Recipients(people)
    chat_settings = ChatSettings(chat_settings_store)
    queue = SendQueue(connection.client, RateLimits(limits))
    connection.client.performed = queue.service_responded

    # Sent without a request.
    telegram_clock = TelegramClock(clock, steady)
    connection.date_listeners.append(telegram_clock.read)
    duty = Duty(roster, telegram_clock)
    alerts = Alerts(
        queue,
        lasting,
        accounts=accounts,
        store=incidents,
        recipients=recipients,
        clock=clock,
        silence_clock=telegram_clock,
        duty=duty,
        escalation=options.escalation,
        policy_of=lambda chat: replace(
            options.alert_policy_of(chat),
            loudness=chat_settings.loudness(chat),
            quiet_hours=chat_settings.quiet_hours(chat),
        ),
    )
    alert_chat = AlertChat(
        options.alert_chat,
        queue=queue,
        lasting=lasting,
        recipients=recipients,
        alerts=alerts,
        store=chat_settings_store,
    )
    link_queues = LinkQueues()
    codes = Codes(
        queue, tasks, accounts=accounts, recipients=recipients, messages=messages, link_queues=link_queues, clock=clock
    )
    cards = Cards(
        queue,
        tasks,
        accounts=accounts,
        recipients=recipients,
        messages=messages,
        link_queues=link_queues,
        has_code=codes.has_code,
        clock=clock,
    )
    codes.none_left = cards.look_at

    feed = Feed(
        queue,
        lasting,
        accounts=accounts,
        people=people,
        chat_settings=chat_settings,
        fits=fits,
        has_code=codes.has_code,
    )

    # Requested by people.
    responder = Responder(queue, tasks, Questions(lasting, telegram_clock))
    context = Context(people, accounts, records, responder, tasks, options.region, clock, telegram_clock)
    link_queue_messages = LinkQueueMessages(
        link_queues, accounts=accounts, messages=messages, responder=responder, tasks=tasks
    )
    linking = Linking(
        link_queues,
        link_queue_messages,
        accounts=accounts,
        codes=codes,
        responder=responder,
        tasks=tasks,
        look_at_card=cards.look_at_account,
    )
    actions = AccountActions(context, cards=cards, codes=codes, linking=linking, feed=feed)

    def unwritable() -> list[str]:
        silences = {chat: seconds for chat, seconds in queue.silences.items() if chat not in recipients.gone}
        return [answers.silence_of(*each) for each in silences.items()] + [
            answers.unreachable(chat, alerts.waiting(chat)) for chat in sorted(recipients.gone)
        ]

    alert_actions = AlertActions(context, alerts=alerts, recipients=recipients, duty=duty, unwritable=unwritable)

    detail, restoring = Detail(context, link_queues), RestoreActions(context, actions)
    account_commands = AccountCommands(
        context, actions=actions, restoring=restoring, detail=detail, status_list=StatusList(context, unwritable)
    )
    rows = listed(hosts=hosts is not None)
    menus = Menus(connection, lasting, people, rows)
    rights = Rights(
        context, alerts=alerts, duty=duty, linking=linking, codes=codes, cards=cards, set_menu=menus.set_for
    )
    people_actions = PeopleActions(
        context, store=people_store, rights_changed=rights.changed, settle=alerts.announcer.replace_notes
    )

    def gone(number: str) -> None:
        proxies.forget(number)
        cards.refresh(number)
        linking.refresh(number)

    ownership = OwnershipActions(context, alerts=alerts, rights_changed=rights.changed, gone=gone)
    queue.silenced = lambda chat: alerts.chats.silenced(chat, queue.silence(chat))
    delivery_check = DeliveryCheck(context, queue=queue, recipients=recipients, duty=duty, way=options.escalation.way)
    topics = (
        account_commands,
        OwnershipCommands(context, actions=ownership, choices=account_commands),
        ProxyCommands(
            context,
            proxies=proxies,
            common=options.common_proxy,
            try_proxy=options.try_proxy,
            encrypts=options.encrypts,
        ),
        AlertCommands(alert_actions),
        DutyCommands(context, duty=duty, delivery_check=delivery_check),
        ChatSettingCommands(context, chat_settings=chat_settings, alerts=alerts, alert_chat=alert_chat),
        PeopleCommands(context, people_actions),
        FeedCommands(context, chat_settings),
        AuditCommands(context),
        HostCommands(context, hosts),
        HelpCommands(context, COMMANDS, rows),
    )
    inbox = Inbox(requests, clock)
    router = Router(
        topics,
        people=people,
        responder=responder,
        plain=account_commands.plain,
        username=lambda: connection.username,
    )
    poll_watch = PollWatch(connection, tasks, alerts)
    buttons = Buttons(
        context,
        actions=actions,
        alert_actions=alert_actions,
        restoring=restoring,
        detail=detail,
        linking=linking,
        router=router,
        earlier=inbox.find,
        take_webhook=poll_watch.take_webhook,
        topics=topics,
    )
    intake = Intake(
        connection,
        tasks,
        people=people,
        strangers=Strangers(tasks, responder=responder, alerts=alerts, people=people_store, clock=clock),
        chats=Chats(alerts, cards, linking, chat_settings, tasks),
        alerts=alerts,
        inbox=inbox,
        responder=responder,
        router=router,
        buttons=buttons,
        menus=menus,
        telegram_clock=telegram_clock,
    )
    bot = TelegramBot(connection, poll_watch=poll_watch, intake=intake, menus=menus)
    return TelegramService(
        connection=connection,
        bot=bot,
        poll_watch=poll_watch,
        queue=queue,
        tasks=tasks,
        lasting=lasting,
        alerts=alerts,
        responder=responder,
        codes=codes,
        linking=linking,
        link_queue_messages=link_queue_messages,
        cards=cards,
        alert_chat=alert_chat,
        people=people,
        chat_settings=chat_settings,
        feed=feed,
    )
