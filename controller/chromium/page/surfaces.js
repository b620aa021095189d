/*
 * Every surface of the WhatsApp Web page that we touch, in one place: its modules first, its DOM as the second way.
 *
 * An expression whose value is an object of functions. It leaves nothing in the page, so that it can be evaluated again
 * for each question. Nothing here throws for a build that lacks a surface: it answers null.
 * What never lives here: when anything is read (watcher.js) and what it means (sight.py).
 */
(function () {
  "use strict";

  // --- modules ---------------------------------------------------------------------------------------------------

  /** One export of a module, or null where this build lacks it. */
  function exported(id, name) {
    try {
      const found = typeof window.require === "function" ? window.require(id) : null;
      return (found && found[name]) || null;
    } catch {
      return null;
    }
  }

  const socket = () => exported("WAWebSocketModel", "Socket");
  const conn = () => exported("WAWebConnModel", "Conn");
  const cmd = () => exported("WAWebCmd", "Cmd");
  const messages = () => exported("WAWebCollections", "Msg");

  function call(id, name, ...args) {
    try {
      const found = exported(id, name);
      return typeof found === "function" ? found(...args) : null;
    } catch {
      return null;
    }
  }

  // --- DOM -------------------------------------------------------------------------------------------------------

  const one = (selector) => document.querySelector(selector);
  const visible = (element) => element !== null && element.getClientRects().length > 0;
  const codeElement = () => {
    const found = one("[data-testid=link-device-qr-code]");
    return found && (found.hasAttribute("data-ref") ? found : found.querySelector("[data-ref]"));
  };
  const refreshButton = () => one("[data-testid=link_device_qr_expired_refresh_button]");

  /** The known marks of the page that can be seen now. */
  const marks = () => ({
    code: one("[data-testid=link-device-qr-code], [data-testid^=link-device-qrcode-alt-linking-]") !== null,
    expired: visible(refreshButton()),
    chats: visible(one("#pane-side, [data-testid=chat-list]")),
    startup: one("#wa_web_initial_startup") !== null,
  });

  // --- the linking code ------------------------------------------------------------------------------------------

  /** Five parts, or null: a code of which a part is missing must never be shown to anybody. */
  function wellFormed(text) {
    if (typeof text !== "string") return null;
    const bare = text
      .replace("https://wa.me/settings/linked_devices#", "")
      .replace(",https://faq.whatsapp.com/r/ld", "");
    const parts = bare.split(",");
    const missing = (part) => part === "" || part === "undefined" || part === "null";
    return parts.length === 5 && !parts.some(missing) ? bare : null;
  }

  /** The code of the ref that the page has now, or null. The ref may be a dead one: only the socket's state tells. */
  async function codeOfModules() {
    try {
      const ref = conn()?.ref;
      if (typeof ref !== "string" || ref === "") return null;
      const encode = exported("WABase64", "encodeB64");
      const noise = await exported("WAWebUserPrefsInfoStore", "waNoiseInfo").get();
      const registration = await exported("WAWebSignalStoreApi", "waSignalStore").getRegistrationInfo();
      const secret = await call("WAWebUserPrefsMultiDevice", "getADVSecretKey");
      const platform = exported("WAWebCompanionRegClientUtils", "DEVICE_PLATFORM");
      const keys = [noise.staticKeyPair.pubKey, registration.identityKeyPair.pubKey].map((key) => encode(key));
      return conn()?.ref === ref ? wellFormed([ref, ...keys, secret, platform].join(",")) : null;
    } catch {
      return null;
    }
  }

  const codeOfDom = () => wellFormed(codeElement()?.getAttribute("data-ref"));

  /** Ask for new codes after the sixth, as older builds, newer ones, or people do. */
  function refreshCode() {
    const newer = exported("WAWebLaunchSocketUtils", "refreshQR");
    if (typeof cmd()?.refreshQR === "function") cmd().refreshQR();
    else if (typeof newer === "function") newer();
    else refreshButton()?.click();
  }

  // --- who, how far, and whether alive -----------------------------------------------------------------------------

  const phoneWid = () => call("WAWebUserPrefsMeUser", "getMaybeMePnUser");

  /** The digits of who is linked; "" where only a number-less identity is known; null for nobody. */
  function me() {
    const wid = phoneWid();
    const digits = /^\d+/.exec(wid?.user ?? wid?._serialized ?? "");
    if (digits) return digits[0];
    return wid || call("WAWebUserPrefsMeUser", "getMaybeMeLidUser") ? "" : null;
  }

  /** How much of the chats has been loaded, 0 to 100, or null. */
  function percent() {
    let told = null;
    try {
      told = exported("WAWebOfflineHandler", "OfflineMessageHandler")?.getOfflineDeliveryProgress?.() ?? null;
    } catch {
      told = null;
    }
    if (typeof told === "number" && Number.isFinite(told)) return told;
    const bar = one("#wa_web_initial_startup progress");
    return bar !== null && bar.position >= 0 ? 100 * bar.position : null;
  }

  /** The socket's own word, read live: {state, synced}, each null where it cannot be read. */
  function live() {
    const model = socket();
    const state = model?.state;
    const synced = model?.hasSynced;
    return {
      state: typeof state === "string" ? state : null,
      synced: typeof synced === "boolean" ? synced : null,
      chats: marks().chats,
    };
  }

  /** Seconds until a block ends, where the page tells, or null. */
  function blockEndsIn() {
    const told = exported("WAWebTemporaryBan", "TemporaryBan")?.expiresAt
      ?? one("[data-testid=temporary-ban]")?.getAttribute("data-expires-at");
    const end = Number(told ?? NaN);
    if (!(end > 0)) return null;
    const seconds = end > 1e11 ? end / 1000 : end; // both units have been seen in such fields
    return Math.max(0, seconds - Date.now() / 1000);
  }

  const ownQuery = () => exported("WAWebQueryExistsJob", "queryWidExists");

  /** Whether the server answers one light question about our own number; null where it cannot be asked. */
  async function serverAnswers() {
    const wid = phoneWid();
    if (ownQuery() === null || !wid) return null;
    try {
      await ownQuery()(wid);
      return true;
    } catch {
      return false;
    }
  }

  /** Tell the server that we are here. It is sent, never answered. */
  const sendPresence = () => void call("WAWebPresenceChatAction", "sendPresenceAvailable");

  function takeOver() {
    const model = socket();
    if (typeof model?.takeover !== "function") return false;
    model.takeover();
    return true;
  }

  async function logOut() {
    const model = socket();
    if (typeof model?.logout !== "function") return false;
    await model.logout();
    return true;
  }

  return {
    socket, conn, cmd, messages, marks, codeOfModules, codeOfDom, refreshCode, refreshButton, me, percent, live,
    blockEndsIn, serverAnswers, canAsk: () => ownQuery() !== null, sendPresence, takeOver, logOut,
  };
})()
