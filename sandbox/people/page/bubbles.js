// One message as a phone shows it. Contents: bubbles, their marks and buttons. Not here: the list.

import { attempt, post } from "./api.js";
import { alertBox, showHistory } from "./dialogs.js";
import { avatar, clock, h, icon, toast } from "./dom.js";
import { isCode, isPrivate, messagesOf, state, tell } from "./store.js";

/** Draws one message as the current person sees it; `ghost` rows are deleted messages that are still shown. */
export function row(message) {
  if (message.service)
    return h(
      "div",
      { class: "chip-row row", data: { id: message.message_id } },
      h("span", { class: "chip" }, serviceText(message)),
    );
  const mine = message.from.id === state.me.user_id;
  const ghost = message.deleted !== null;
  return h(
    "div",
    { class: `row ${mine ? "out" : "in"} ${ghost ? "ghost" : ""}`, data: { id: message.message_id } },
    !mine && !isPrivate() && avatar(message.from.name, "small"),
    h(
      "div",
      { class: "stack" },
      h(
        "div",
        { class: `bubble ${message.photo ? "with-photo" : ""}` },
        !mine && !isPrivate() && h("div", { class: "sender" }, message.from.name),
        message.reply_to !== null && quote(message.reply_to),
        message.photo &&
          h("a", { class: "photo", href: `/telegram${message.photo.url}`, target: "_blank" }, picture(message)),
        message.document &&
          h(
            "a",
            { class: "document", href: `/telegram${message.document.url}`, target: "_blank" },
            icon("link"),
            message.document.name || "File",
          ),
        message.text && h("div", { class: "text", html: message.html }),
        h("div", { class: "meta" }, ...meta(message, mine)),
      ),
      message.reactions.length > 0 &&
        h("div", { class: "reactions" }, message.reactions.map((reaction) => reaction.emoji || "★").join(" ")),
      message.buttons.length > 0 && !ghost && keyboard(message),
      !ghost && isCode(message) && scanHere(message),
      ghost &&
        h(
          "div",
          { class: "ghost-note" },
          `deleted by ${message.deleted_by === "bot" ? "the bot" : "you"} at ${clock(message.deleted, { withSeconds: true })}`,
        ),
    ),
  );
}

const firstLine = (text) => (text || "").split("\n")[0] || "without a caption";

function picture(message) {
  const { photo } = message;
  const alt = isCode(message) ? "A QR code to scan with the account's phone" : `Picture: ${firstLine(message.text)}`;
  const image = h("img", { src: `/telegram${photo.url}`, alt, width: photo.width, height: photo.height });
  image.addEventListener("load", () => tell("grown"), { once: true });
  return image;
}

/** If the phones are not visible, a code can be scanned in the message itself. */
function scanHere(message) {
  return h(
    "button",
    { type: "button", class: "scan-here", onclick: () => tell("scan-here", { message }) },
    icon("scan"),
    "Scan it with its phone",
  );
}

function meta(message, mine) {
  return [
    message.protected && h("span", { class: "mark", title: "Protected: cannot be forwarded or saved" }, icon("lock")),
    message.edited !== null &&
      h(
        "button",
        { type: "button", class: "edited", title: "What it said before", onclick: () => showHistory(message) },
        "edited",
      ),
    h("time", { title: clock(message.date, { withSeconds: true }) }, clock(message.date)),
    !mine &&
      message.from.is_bot &&
      h(
        "span",
        { class: `mark ${message.silent ? "" : "loud"}`, title: message.silent ? "Came silently" : "Made a sound" },
        icon(message.silent ? "silent" : "bell"),
      ),
    mine && h("span", { class: "ticks", title: "Delivered" }, "✓✓"),
  ];
}

function quote(messageId) {
  const message = messagesOf(state.chatId).get(messageId);
  const text = message ? message.text || "Photo" : "Deleted message";
  return h(
    "button",
    {
      type: "button",
      class: "quote",
      onclick: () => {
        jumpTo(messageId);
      },
    },
    h("strong", {}, message ? message.from.name : ""),
    h("span", {}, text),
  );
}

function keyboard(message) {
  return h(
    "div",
    { class: "keyboard" },
    message.buttons.map((buttons) =>
      h(
        "div",
        { class: "keys" },
        buttons.map((button) =>
          button.url
            ? h("a", { class: "key", href: button.url, target: "_blank", rel: "noreferrer" }, button.text)
            : h(
                "button",
                { type: "button", class: "key", onclick: (event) => press(message, button, event.currentTarget) },
                button.text,
              ),
        ),
      ),
    ),
  );
}

async function press(message, button, key) {
  key.classList.add("waiting");
  await attempt(async () => {
    const body = {
      message_id: message.message_id,
      chat_id: message.chat_id,
      data: button.data,
      user_id: state.me.user_id,
      wait: 8,
    };
    const { answer } = await post("/telegram/client/press", body);
    if (!answer) toast("The bot did not answer the button in time.", "bad");
    else if (answer.show_alert) alertBox(answer.text);
    else if (answer.text) toast(answer.text);
  });
  key.classList.remove("waiting");
}

function serviceText(message) {
  const service = message.service;
  if (service.pinned_message) return `${message.from.name} pinned a message`;
  if (service.forum_topic_created) return `Topic “${service.forum_topic_created.name}” was created`;
  if (service.forum_topic_edited) return `Topic renamed to “${service.forum_topic_edited.name}”`;
  if (service.forum_topic_closed) return "Topic closed";
  if (service.forum_topic_reopened) return "Topic reopened";
  if (service.migrate_to_chat_id) return "This group became a supergroup";
  if (service.migrate_from_chat_id) return "Upgraded from a basic group";
  return Object.keys(service)[0].replaceAll("_", " ");
}

/** The row of a message in the open chat, or null. */
export const rowOf = (messageId) => document.querySelector(`.messages .row[data-id="${messageId}"]`);

/** Highlights a row. */
export const flash = (node) => node?.classList.add("flash");

/** Scrolls to a message and highlights it. */
export function jumpTo(messageId) {
  const found = rowOf(messageId);
  found?.scrollIntoView({ block: "center", behavior: "smooth" });
  flash(found);
}
