// Dialogs above the page. Contents: the bot's alert, and earlier versions of a message. Not here: requests.

import { clock, h } from "./dom.js";

const alertDialog = h("dialog", { class: "alert" });
const historyDialog = h("dialog", {
  class: "history",
  onclick: (event) => event.target === historyDialog && historyDialog.close(),
});
document.body.append(alertDialog, historyDialog);

/** Shows the bot's answer to a button as an alert. */
export function alertBox(text) {
  alertDialog.replaceChildren(
    h("p", {}, text),
    h("button", { type: "button", onclick: () => alertDialog.close() }, "OK"),
  );
  alertDialog.showModal();
}

/** Shows every version of a message with its time, newest last. */
export function showHistory(message) {
  const versions = [...message.history, { ...message, at: message.edited }];
  historyDialog.replaceChildren(
    h("h3", {}, "What it said before"),
    h(
      "ol",
      {},
      versions.map((version, place) =>
        h(
          "li",
          { class: place === versions.length - 1 ? "now" : "" },
          h("time", {}, clock(version.at, { withSeconds: true })),
          version.photo && h("img", { src: `/telegram${version.photo.url}`, alt: "" }),
          h("div", { class: "text", html: version.html }),
          version.buttons.length > 0 &&
            h(
              "small",
              {},
              version.buttons
                .flat()
                .map((button) => `[${button.text}]`)
                .join(" "),
            ),
        ),
      ),
    ),
    h("button", { type: "button", onclick: () => historyDialog.close() }, "Close"),
  );
  historyDialog.showModal();
}
