/*
 * Run in every frame before its own scripts: what a page throws, logs or prompts stays in its own process.
 *
 * Playwright's driver, which all accounts share, forwards every uncaught error and console line, at any length.
 * The page's own handlers still run, and it can still read its own console; only the way out is closed.
 */
(function () {
  "use strict";
  const quiet = (event) => event.preventDefault(); // keeps Chromium from reporting it
  window.addEventListener("error", quiet, true);
  window.addEventListener("unhandledrejection", quiet, true);

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
