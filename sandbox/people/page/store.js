// The page's Telegram state. Contents: chats, messages, the current person. Not here: drawing.

import { get, listen } from "./api.js";

export const state = {
  cast: null,
  me: null, // the person whose point of view is shown
  chatId: null,
  thread: null, // the only forum topic shown
  chats: new Map(),
  messages: new Map(), // chat id → Map of message id → message, deleted ones included
  unread: new Map(),
  seen: "", // the event after which everything here was read
};

const watchers = new Set();

/** Calls `watcher(kind, data)` for every event, after the state was updated. */
export function watch(watcher) {
  watchers.add(watcher);
}

export function tell(kind, data = {}) {
  for (const watcher of watchers) watcher(kind, data);
}

export const isPrivate = () => state.chatId === state.me.user_id;

export function messagesOf(chatId) {
  if (!state.messages.has(chatId)) state.messages.set(chatId, new Map());
  return state.messages.get(chatId);
}

/** The chats of a person: their own with the bot, and their groups. */
export function chatsOf(person) {
  const groups = [...state.chats.values()].filter(
    (chat) =>
      chat.type !== "private" && chat.migrated_to === null && chat.members.some((m) => m.user_id === person.user_id),
  );
  return [{ id: person.user_id, private: true, name: "Switchboard" }, ...groups];
}

const codes = new Map(); // picture's address → whether a camera reads a code in it; a promise while being requested

/** Finds out whether a message's picture is a code; emits "code" once that is known. */
function lookAt(message) {
  const address = message.photo?.url;
  if (!address || message.deleted !== null || codes.has(address)) return;
  codes.set(address, null);
  get(`/code/${address.split("/").pop()}`)
    .then((found) => {
      codes.set(address, found.code);
      tell("code");
    })
    .catch(() => codes.delete(address));
}

export const isCode = (message) => Boolean(message.photo) && codes.get(message.photo.url) === true;

/** The codes visible now, newest first, in all chats known to the sandbox. */
export function codesInChats() {
  const found = [];
  for (const messages of state.messages.values())
    for (const message of messages.values()) if (message.deleted === null && isCode(message)) found.push(message);
  return found.sort((one, other) => (other.edited || other.date) - (one.edited || one.date));
}

/** The phone numbers in a message. */
export const numbersIn = (message) =>
  ((message.text || "").match(/(?:\+|00)\d[\d ()/.-]{6,22}\d/g) || []).map(
    (found) => `+${found.replace(/\D/g, "").replace(/^00/, "")}`,
  );

/** Which of `phones` ({number, name}) a code is meant for, according to its caption, as a person reads it; or null. */
export function meantFor(message, phones) {
  const text = message.text || "";
  const numbers = numbersIn(message);
  const only = (matches) => {
    const found = phones.filter(matches);
    return found.length === 1 ? found[0] : null;
  };
  if (numbers.length) return only((phone) => numbers.includes(phone.number));
  const lastFour = (text.match(/\d{4}(?!\d)/g) || []).map(String);
  return (
    only((phone) => text.includes(phone.name) && lastFour.includes(phone.number.slice(-4))) ||
    only((phone) => text.includes(phone.name)) ||
    only((phone) => lastFour.includes(phone.number.slice(-4)))
  );
}

export async function load() {
  state.cast = await get("/cast");
  await refreshChats();
  for (const chatId of new Set([...state.chats.keys(), ...state.cast.people.map((person) => person.user_id)])) {
    await loadMessages(chatId);
  }
  listen(state.seen, take, (open) => tell("stream", { open }));
}

export async function refreshChats() {
  const found = await get("/telegram/client/chats");
  state.seen ||= found.event; // earlier events are included in what is read below, later ones come by the stream
  state.chats = new Map(found.chats.map((chat) => [chat.id, chat]));
}

async function loadMessages(chatId) {
  const found = await get(`/telegram/client/messages?chat_id=${chatId}`);
  const messages = messagesOf(chatId);
  for (const message of [...found.deleted, ...found.messages]) {
    messages.set(message.message_id, message);
    lookAt(message);
  }
}

async function take(event) {
  if (event.kind === "missed") return location.reload(); // the sandbox was restarted, or this tab slept for long
  if (event.kind === "message" || event.kind === "edit") {
    messagesOf(event.chat_id).set(event.message.message_id, event.message);
    lookAt(event.message);
    if (event.kind === "message" && event.message.from.is_bot && event.chat_id !== state.chatId) {
      const unread = state.unread.get(event.chat_id) || { count: 0, loud: false };
      state.unread.set(event.chat_id, { count: unread.count + 1, loud: unread.loud || !event.message.silent });
    }
  } else if (event.kind === "delete") {
    const message = messagesOf(event.chat_id).get(event.message_id);
    if (message) Object.assign(message, { deleted: event.at, deleted_by: event.by });
  } else if (event.kind === "pins") {
    for (const message of messagesOf(event.chat_id).values())
      message.pinned = event.pinned.includes(message.message_id);
  } else if (event.kind === "reaction") {
    const message = messagesOf(event.chat_id).get(event.message_id);
    if (message) message.reactions = event.reactions;
  } else if (["chat", "topics", "blocked", "unblocked", "migrated"].includes(event.kind)) {
    await refreshChats();
  }
  tell(event.kind, event);
}
