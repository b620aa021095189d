/*
 * Run in every frame before its own scripts: what a page throws, logs or prompts stays in its own process.
 *
 * Playwright's driver, which all accounts share, forwards every uncaught error and console line, at any length.
 * The page's own handlers still run, and it can still read its own console; only the way out is closed.
 * Built-ins used here are captured at once, since the page may replace them later.
 */
(function () {
  "use strict";
  const { apply } = Reflect;
  const { addEventListener } = window.EventTarget.prototype;
  const { preventDefault } = window.Event.prototype;
  const quiet = (event) => apply(preventDefault, event, []); // keeps Chromium from reporting it
  const hush = (view) => {
    apply(addEventListener, view, ["error", quiet, true]);
    apply(addEventListener, view, ["unhandledrejection", quiet, true]);
  };
  hush(window);

  // Opening a document removes all listeners; writing to one that has been loaded opens it.
  const { prototype } = window.Document;
  const property = (name) => Object.getOwnPropertyDescriptor(prototype, name).get;
  const [viewOf, stateOf, scriptOf] = ["defaultView", "readyState", "currentScript"].map(property);
  const { open } = prototype;
  const opened = (document, args) => {
    try {
      return apply(open, document, args);
    } finally {
      const view = apply(viewOf, document, []);
      if (view !== null) hush(view);
    }
  };
  const writer = (target, document, args) => {
    // A script that came with the document, in whatever order, may not open it.
    if (apply(stateOf, document, []) !== "loading" && apply(scriptOf, document, []) === null) opened(document, []);
    return apply(target, document, args);
  };
  prototype.open = new Proxy(open, { apply: (_, document, args) => opened(document, args) });
  for (const name of ["write", "writeln"]) prototype[name] = new Proxy(prototype[name], { apply: writer });

  for (const name of Object.keys(console)) {
    if (typeof console[name] !== "function") continue;
    try {
      console[name] = () => {};
    } catch {
      // not configurable in this build of the browser
    }
  }
  for (const [name, answer] of [["alert", undefined], ["confirm", false], ["prompt", null], ["open", null], ["print", undefined]]) {
    try {
      window[name] = () => answer;
    } catch {
      // likewise
    }
  }
})()
