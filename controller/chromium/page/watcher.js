/*
 * Watches the page from its first moment and tells what it sees, as one whole sight each time anything in it changed.
 *
 * A function of (surfaces, name of the binding), run in every document before the page's own scripts. It subscribes
 * first and reads afterwards, and reads again every second, so nothing that happened before or between is missed.
 * What never lives here: where things are in the page (surfaces.js) and what they mean (sight.py).
 */
(function (surfaces, bindingName) {
  "use strict";
  const binding = window[bindingName];
  delete window[bindingName]; // the page need not see it
  if (window.top !== window || !/^https?:$/.test(location.protocol) || typeof binding !== "function") return;

  const SEARCH_MS = 200; // while the page's modules are not there yet
  const READ_MS = 1000;
  const REFRESH_MS = 5000;
  const HEARD_MS = 1000;

  const tell = (message) => void Promise.resolve(binding(message)).catch(() => {});

  // --- sights ------------------------------------------------------------------------------------------------------

  let lastTold = "";
  let deadRef = null;
  let refreshedAt = -Infinity;
  let reading = false;
  let again = false;

  async function sight() {
    const { state, synced } = surfaces.live();
    const marks = surfaces.marks();
    const ref = surfaces.conn()?.ref ?? null;
    const expired = state === "UNPAIRED_IDLE" || (state === null && marks.expired);
    if (expired) {
      deadRef = ref; // it stays in the model: never show it again
      refresh();
    }
    let code = null;
    if (!expired && (state === "UNPAIRED" || (state === null && marks.code))) {
      if (ref === null || ref !== deadRef) code = await surfaces.codeOfModules();
      if (code === null && !marks.expired) code = surfaces.codeOfDom();
      if (code !== null && deadRef !== null && code.startsWith(deadRef + ",")) code = null;
    }
    return {
      kind: "sight", state, synced, code, marks,
      me: surfaces.me(), percent: surfaces.percent(), blockEndsIn: surfaces.blockEndsIn(),
    };
  }

  function refresh() {
    if (performance.now() - refreshedAt < REFRESH_MS) return;
    refreshedAt = performance.now();
    try {
      surfaces.refreshCode();
    } catch {
      // asked again in a while
    }
  }

  /** Tell what there is to see now, if it differs; a call while one is under way makes it look once more. */
  async function look() {
    again = true;
    if (reading) return;
    reading = true;
    try {
      while (again) {
        again = false;
        const seen = await sight();
        // A code takes a moment to read: what the socket said meanwhile is newer.
        if (seen.code !== null && surfaces.live().state !== seen.state) again = true;
        const text = JSON.stringify(seen, (key, value) => (key === "blockEndsIn" ? null : value));
        if (!again && text !== lastTold) {
          lastTold = text;
          tell(seen);
        }
      }
    } catch {
      // the next reading tries again
    } finally {
      reading = false;
    }
  }

  // --- subscriptions -----------------------------------------------------------------------------------------------

  const attached = new Set();

  function attach(source, event, listener) {
    const model = surfaces[source]();
    const key = source + event;
    if (attached.has(key) || typeof model?.on !== "function") return;
    attached.add(key);
    try {
      model.on(event, listener);
    } catch {
      attached.delete(key);
    }
  }

  /** A state that lasts a moment only is told as well: the order of states has a meaning. */
  function passing(model, state) {
    if (typeof state === "string") tell({ kind: "state", state });
    look();
  }

  let heardAt = -Infinity;

  function heard(message) {
    if (message?.isNewMsg === false) return; // history that the page reads from its own store
    if (message?.id?.fromMe === true && message.ack === 0) return; // ours, and the server has not got it yet
    if (performance.now() - heardAt < HEARD_MS) return;
    heardAt = performance.now();
    tell({ kind: "heard" });
  }

  function loggedOut(reason) {
    tell({ kind: "logged out", reason: typeof reason === "string" || typeof reason === "number" ? String(reason) : "" });
  }

  function attachAll() {
    attach("socket", "change:state", passing);
    attach("socket", "change:hasSynced", look);
    attach("conn", "change:ref", look);
    attach("cmd", "logout", loggedOut);
    attach("cmd", "logout_from_bridge", loggedOut);
    attach("cmd", "offline_progress_update_from_bridge", look);
    attach("messages", "add", heard);
  }

  function tick() {
    attachAll();
    look();
    setTimeout(tick, attached.has("socketchange:state") ? READ_MS : SEARCH_MS);
  }

  // --- passkeys ----------------------------------------------------------------------------------------------------

  function hookPasskeys() {
    const prototype = window.CredentialsContainer?.prototype;
    if (typeof prototype?.get !== "function") return;
    prototype.get = new Proxy(prototype.get, {
      apply(original, self, args) {
        const asked = args[0]?.publicKey;
        if (asked && /(^|\.)whatsapp\.com$/.test(asked.rpId ?? location.hostname)) tell({ kind: "passkey" });
        return Reflect.apply(original, self, args);
      },
    });
  }

  hookPasskeys();
  tick();
})
