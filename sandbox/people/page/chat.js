// The chat, as a phone shows it. Contents: the device on the left. Not here: phones and faults.

import { attempt, post } from "./api.js";
import { flash, jumpTo, row, rowOf } from "./bubbles.js";
import { drawComposer, hideSuggest, mountComposer, refreshCommands, say } from "./composer.js";
import { avatar, h, icon, iconButton, toast } from "./dom.js";
import { chime } from "./sound.js";
import { chatsOf, isCode, isPrivate, messagesOf, refreshChats, state, tell, watch } from "./store.js";

const TYPING_SECONDS = 5;
const LEAVING_MS = 700;
const parts = {};
const view = { ghosts: false, typing: 0 };

export function mountChat(device) {
  parts.head = h("div", { class: "chat-head" });
  parts.tabs = h("div", { class: "chat-tabs", role: "tablist" });
  parts.pinned = h("button", { class: "pinned", type: "button", onclick: jumpToPinned });
  parts.list = h("div", { class: "messages", role: "log", "aria-label": "Messages" });
  parts.screen = h("div", { class: "screen" }, parts.head, parts.tabs, parts.pinned, parts.list, ...mountComposer());
  device.append(h("div", { class: "notch" }), parts.screen);
  parts.list.addEventListener("scroll", scrolled, { passive: true });
  new ResizeObserver(resized).observe(parts.list); // a keyboard opens, a pinned message appears
  watch(onEvent);
  document.addEventListener("click", (event) => {
    if (!parts.head.contains(event.target)) openMore(false);
  });
  parts.head.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !parts.more.classList.contains("open")) return;
    openMore(false);
    parts.moreButton.focus();
  });
}

/** Shows a chat from a person's point of view. */
export function openChat(person, chatId) {
  state.me = person;
  state.chatId = chatId;
  state.unread.delete(chatId);
  state.thread = null;
  view.typing = 0;
  hideSuggest();
  drawAll();
  refreshCommands();
  tell("opened");
}

const current = () => state.chats.get(state.chatId);

function drawAll() {
  drawHead();
  drawTabs();
  drawPinned();
  parts.list.replaceChildren();
  let day = "";
  for (const message of sorted()) {
    const date = new Date(message.date * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "long" });
    if (date !== day) parts.list.append(h("div", { class: "chip-row" }, h("span", { class: "chip" }, date)));
    day = date;
    parts.list.append(row(message));
  }
  if (!parts.list.children.length) parts.list.append(emptyState());
  drawComposer();
  toBottom(true);
}

function emptyState() {
  return h(
    "div",
    { class: "empty" },
    h("img", { src: "/page/icon.svg", alt: "" }),
    h("strong", {}, "What can this bot do?"),
    h(
      "span",
      {},
      "It keeps WhatsApp accounts linked, and tells you when one needs you. Press Start, or type a command.",
    ),
  );
}

function sorted() {
  return [...messagesOf(state.chatId).values()]
    .filter((message) => (view.ghosts || message.deleted === null) && inThread(message))
    .sort((one, other) => one.message_id - other.message_id);
}

const inThread = (message) => state.thread === null || message.thread_id === state.thread;

function drawHead() {
  const chat = current();
  const title = isPrivate() ? "Switchboard" : chat.name;
  const people = chat && !isPrivate() ? `${chat.members.length + 1} members` : "bot";
  const subtitle = view.typing > Date.now() ? h("span", { class: "typing" }, "typing", h("i"), h("i"), h("i")) : people;
  parts.more = h("div", { class: "more" }, moreActions());
  parts.moreButton = iconButton("dots", "More", () => openMore(!parts.more.classList.contains("open")), {
    "aria-expanded": "false",
  });
  parts.head.replaceChildren(
    isPrivate() ? h("img", { class: "avatar-image", src: "/page/icon.svg", alt: "" }) : avatar(title),
    h(
      "div",
      { class: "who" },
      h("strong", {}, title, isPrivate() ? h("span", { class: "bot-mark", title: "A bot" }, "bot") : null),
      h("span", {}, subtitle),
    ),
    iconButton("eye", view.ghosts ? "Hide deleted messages" : "Show deleted messages", toggleGhosts, {
      "aria-pressed": String(view.ghosts),
    }),
    parts.moreButton,
    parts.more,
  );
}

function openMore(open) {
  parts.more?.classList.toggle("open", open);
  parts.moreButton?.setAttribute("aria-expanded", String(open));
}

function moreActions() {
  const chat = current();
  const item = (name, label, action) =>
    h(
      "button",
      {
        type: "button",
        onclick: () => {
          openMore(false);
          attempt(action);
        },
      },
      icon(name),
      label,
    );
  if (isPrivate()) {
    const blocked = chat?.blocked;
    return [
      chat &&
        item("block", blocked ? "Unblock the bot" : "Block the bot", () =>
          post(`/telegram/client/${blocked ? "unblock" : "block"}`, { user_id: state.me.user_id }),
        ),
      item("message", "Send a long text (5,000 letters)", () => say("long ".repeat(1000).trim())),
    ];
  }
  const out = ["left", "kicked"].includes(chat.bot_status);
  const set = (status) => () => post("/telegram/client/bot_status", { chat_id: chat.id, status });
  return [
    out
      ? item("plus", "Let the bot in again", set("administrator"))
      : item("logout", "Throw the bot out", set("kicked")),
    chat.type === "group" && item("reload", "Make it a supergroup (new id)", () => migrate(false)),
    chat.type === "group" && item("forum", "Make it a forum with topics", () => migrate(true)),
  ];
}

async function migrate(forum) {
  const large = await post("/telegram/client/migrate", { chat_id: state.chatId, forum });
  await refreshChats();
  toast(`The group is now ${large.id}; the bot has to notice.`);
  openChat(state.me, large.id);
}

function drawTabs() {
  const chats = chatsOf(state.me);
  const tabs = chats.map((chat) => {
    const unread = state.unread.get(chat.id);
    return h(
      "button",
      {
        type: "button",
        role: "tab",
        class: "chat-tab",
        "aria-selected": String(chat.id === state.chatId),
        onclick: () => openChat(state.me, chat.id),
      },
      chat.private ? "Switchboard" : chat.name,
      unread && h("span", { class: `badge ${unread.loud ? "loud" : ""}` }, String(unread.count)),
    );
  });
  const topics = (current()?.topics || []).map((topic) =>
    h(
      "button",
      {
        type: "button",
        class: "topic-tab",
        "aria-pressed": String(state.thread === topic.message_thread_id),
        onclick: () => pickThread(topic.message_thread_id),
      },
      `${topic.closed ? "🔒 " : "# "}${topic.name}`,
    ),
  );
  if (topics.length)
    topics.unshift(
      h(
        "button",
        {
          type: "button",
          class: "topic-tab",
          "aria-pressed": String(state.thread === null),
          onclick: () => pickThread(null),
        },
        "All",
      ),
    );
  parts.tabs.replaceChildren(...(chats.length > 1 || topics.length ? [...tabs, ...topics] : []));
}

function pickThread(thread) {
  state.thread = thread;
  drawAll();
}

function drawPinned() {
  const pinned = [...messagesOf(state.chatId).values()]
    .filter((message) => message.pinned && message.deleted === null)
    .pop();
  parts.pinned.hidden = !pinned;
  if (pinned)
    parts.pinned.replaceChildren(
      icon("pin"),
      h("span", {}, h("strong", {}, "Pinned message"), h("span", {}, pinned.text || "Photo")),
    );
  parts.pinned.dataset.id = pinned ? pinned.message_id : "";
}

function jumpToPinned() {
  jumpTo(Number(parts.pinned.dataset.id));
}

// Events

function onEvent(kind, data) {
  if (kind === "grown") toBottom(false);
  if (kind === "code" && state.me) markCodes();
  if (kind === "message" && data.message.from.is_bot && !data.message.silent && !data.message.service) ring(data);
  if (["chat", "topics", "blocked", "unblocked", "migrated", "message", "user"].includes(kind) && state.me) drawTabs();
  if ((data.chat_id ?? data.chat?.id) !== state.chatId || !state.me) {
    if (kind === "commands") refreshCommands();
    return;
  }
  if (kind === "message") onMessage(data.message);
  else if (kind === "edit") onEdit(data.message);
  else if (kind === "delete") onDelete(data.message_id);
  else if (kind === "reaction") onEdit(messagesOf(data.chat_id).get(data.message_id));
  else if (kind === "pins") drawPinned();
  else if (kind === "action") onTyping();
  else if (["blocked", "unblocked", "chat", "topics"].includes(kind)) {
    drawHead();
    drawComposer();
  }
}

/** Redraws messages whose picture is a code. */
function markCodes() {
  for (const message of sorted()) {
    const old = isCode(message) && message.deleted === null && rowOf(message.message_id);
    if (old && !old.querySelector(".scan-here")) old.replaceWith(row(message));
  }
  toBottom(false);
}

function ring(data) {
  chime();
  const device = parts.screen.parentElement;
  if (data.chat_id !== state.chatId) return;
  device.classList.remove("ringing");
  void device.offsetWidth; // restarts the animation
  device.classList.add("ringing");
}

function onMessage(message) {
  view.typing = 0;
  drawHead();
  if (!inThread(message)) return;
  parts.list.querySelector(".empty")?.remove();
  const added = row(message);
  added.classList.add("arriving");
  const stick = atBottom() || message.from.id === state.me.user_id;
  parts.list.append(added);
  drawComposer();
  if (stick) toBottom(true);
  else toast("New message below");
}

function onEdit(message) {
  const old = message && rowOf(message.message_id);
  if (!old) return;
  const stick = atBottom();
  const fresh = row(message);
  const before = old.querySelector("img")?.src;
  const image = fresh.querySelector(".photo img");
  if (image && before && image.src !== before) image.classList.add("changed");
  old.replaceWith(fresh);
  flash(fresh);
  if (stick) toBottom(true);
  if (message.pinned) drawPinned();
}

function onDelete(messageId) {
  const old = rowOf(messageId);
  drawPinned();
  if (!old) return;
  if (view.ghosts) {
    old.replaceWith(row(messagesOf(state.chatId).get(messageId)));
    return;
  }
  old.style.height = `${old.offsetHeight}px`;
  void old.offsetHeight; // the height from which it collapses
  old.classList.add("leaving");
  old.style.height = "0px";
  setTimeout(() => old.remove(), LEAVING_MS);
}

function onTyping() {
  view.typing = Date.now() + TYPING_SECONDS * 1000;
  drawHead();
  setTimeout(() => state.me && drawHead(), TYPING_SECONDS * 1000 + 50);
}

function atBottom() {
  return parts.list.scrollHeight - parts.list.scrollTop - parts.list.clientHeight < 120;
}

let sticking = true;
let height = 0; // as it was when the list was resized last

/** Note whether the reader is at the end, unless the list has just been resized: then where it stands says nothing. */
function scrolled() {
  if (parts.list.clientHeight === height) sticking = atBottom();
}

function resized() {
  height = parts.list.clientHeight;
  toBottom(false);
}

function toBottom(force) {
  if (force) sticking = true;
  if (sticking || atBottom()) parts.list.scrollTop = parts.list.scrollHeight;
  sticking = atBottom();
}

function toggleGhosts() {
  view.ghosts = !view.ghosts;
  drawAll();
}
