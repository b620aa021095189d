/*
 * Watches the page from its first moment and tells what it sees, as one whole sight each time anything in it changed.
 *
 * A function of (surfaces, name of the binding, secret), run in every document before the page's own scripts. It
 * subscribes first and reads afterwards; what no event tells is read again: each second, and once the page is connected
 * each seven. Whatever is built in and used here is taken at once, since the page may replace it later.
 * The page cannot tell anything itself: the binding is gone from `window` before its first script runs, and a message
 * without the secret counts for nothing. What it can do is to make us tell more, so that is bounded, in size and rate.
 * What never lives here: where things are in the page (surfaces.js) and what they mean (reader.py).
 */
(function (surfaces, bindingName, secret) {
  "use strict";
  const binding = window[bindingName];
  delete window[bindingName];
  if (window.top !== window || !/^https?:$/.test(location.protocol) || typeof binding !== "function") return;

  const { stringify } = JSON;
  const now = performance.now.bind(performance);
  const later = window.setTimeout.bind(window);

  const SEARCH_MS = 200; // while the page's modules are not there yet
  const READ_MS = 1000;
  const SLOW_READ_MS = 7000; // once it is connected
  const MOVED_MS = 500; // between two looks at a page that changes all the time
  const REFRESH_MS = 5000;
  const HEARD_MS = 1000;
  const BUILD_MS = 3000; // until a build that does not tell its version has not told it

  // --- telling -----------------------------------------------------------------------------------------------------

  const LONGEST = 8000; // letters of one message
  const BURST = 40; // messages at once
  const EVERY_MS = 200; // and one more each
  let allowed = BURST;
  let refilledAt = now();

  /** Tell a message unless there have been too many; returns whether it was told. */
  function tell(message) {
    const moment = now();
    allowed = Math.min(BURST, allowed + (moment - refilledAt) / EVERY_MS);
    refilledAt = moment;
    if (allowed < 1) return false;
    const text = stringify(message);
    if (typeof text !== "string" || text.length > LONGEST) return false;
    allowed -= 1;
    binding(secret + text);
    return true;
  }

  // --- sights ------------------------------------------------------------------------------------------------------

  let lastTold = "";
  let deadRef = null;
  let refreshedAt = -Infinity;
  let reading = false;
  let again = false;
  let isQuiet = false; // connected, and all is there

  async function sight() {
    const live = surfaces.live();
    const { state } = live;
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
    const isReady = live.synced === true || (live.mode === "MAIN" && live.info === "NORMAL");
    isQuiet = marks.chats && (state === null || (state === "CONNECTED" && isReady));
    return {
      kind: "sight", ...live, code, marks, me: surfaces.me(), percent: isQuiet ? null : surfaces.percent(),
      blockEndsIn: surfaces.blockEndsIn(), dialog: surfaces.dialog(),
    };
  }

  function refresh() {
    if (now() - refreshedAt < REFRESH_MS) return;
    refreshedAt = now();
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
      for (let turns = 0; again && turns < 3; turns++) {
        again = false;
        const seen = await sight();
        // A code takes a moment to read: what the socket said meanwhile is newer.
        if (seen.code !== null && surfaces.live().state !== seen.state) again = true;
        const text = stringify(seen, (key, value) => (key === "blockEndsIn" ? null : value));
        if (!again && text !== lastTold && tell(seen)) lastTold = text;
      }
    } catch {
      // the next reading tries again
    } finally {
      reading = false;
    }
  }

  let soon = false;

  /** Look in a moment, once for all that happens until then. */
  function lookSoon() {
    if (soon) return;
    soon = true;
    later(() => {
      soon = false;
      look();
    }, MOVED_MS);
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

  let lastState = null;

  /** A state that lasts a moment only is told as well: the order of states has a meaning. */
  function passing(model, state) {
    if (typeof state === "string" && state !== lastState) {
      lastState = state;
      tell({ kind: "state", state: state.slice(0, 40) });
    }
    look();
  }

  let heardAt = -Infinity;

  function heard(message) {
    if (message?.isNewMsg === false) return; // history that the page reads from its own store
    if (message?.id?.fromMe === true && message.ack === 0) return; // ours, and the server has not got it yet
    if (now() - heardAt < HEARD_MS) return;
    heardAt = now();
    tell({ kind: "heard" });
  }

  function loggedOut(reason) {
    const told = typeof reason === "string" || typeof reason === "number" ? String(reason).slice(0, 80) : "";
    tell({ kind: "logged out", reason: told });
  }

  function attachAll() {
    attach("socket", "change:state", passing);
    attach("socket", "change:stream", look);
    attach("socket", "change:hasSynced", look);
    attach("stream", "change:mode", look);
    attach("stream", "change:info", look);
    attach("stream", "change:displayInfo", look);
    attach("conn", "change:ref", look);
    attach("conn", "change:wid", look);
    attach("cmd", "logout", loggedOut);
    attach("cmd", "logout_from_bridge", loggedOut);
    attach("cmd", "offline_progress_update_from_bridge", lookSoon);
    attach("messages", "add", heard);
  }

  /** A dialog, a list, a lock: whatever comes or goes is looked at soon. An idle page moves nothing. */
  function watchElements() {
    try {
      new MutationObserver(lookSoon).observe(document, { childList: true, subtree: true });
    } catch {
      // then the slow reading alone sees it
    }
  }

  let loadedTold = false;
  let modulesSince = null;

  /** Tell once which build this is and what of it there is, as soon as that is known. */
  function tellLoaded() {
    if (loadedTold) return;
    const marks = surfaces.marks();
    if (surfaces.socket() === null && !marks.code && !marks.chats) return;
    modulesSince ??= now();
    const build = surfaces.build();
    const isPartial = surfaces.socket() === null; // its modules may follow
    if ((build === "" || isPartial) && now() - modulesSince < BUILD_MS) return;
    loadedTold = tell({ kind: "loaded", build, parts: surfaces.parts() });
  }

  function tick() {
    attachAll();
    look();
    try {
      tellLoaded();
    } catch {
      // likewise
    }
    const isSearching = !attached.has("socketchange:state") && !loadedTold;
    later(tick, isSearching ? SEARCH_MS : isQuiet && loadedTold ? SLOW_READ_MS : READ_MS);
  }

  // --- passkeys ----------------------------------------------------------------------------------------------------

  function hookPasskeys() {
    const prototype = window.CredentialsContainer?.prototype;
    if (typeof prototype?.get !== "function") return;
    const { apply } = Reflect;
    prototype.get = new Proxy(prototype.get, {
      apply(original, self, args) {
        try {
          const { publicKey: asked, mediation } = args[0] ?? {};
          const isOurs = asked && /(^|\.)whatsapp\.com$/.test(asked.rpId ?? location.hostname);
          // A conditional request offers passkeys in a form's field: nobody is asked, and nothing waits for it.
          if (isOurs && mediation !== "conditional") tell({ kind: "passkey" });
        } catch {
          // the page's own affair
        }
        return apply(original, self, args);
      },
    });
  }

  hookPasskeys();
  watchElements();
  tick();
})
