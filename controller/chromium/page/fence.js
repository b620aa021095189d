/*
 * Run in every frame before its own scripts: what a page throws, prints or asks stays in its own process.
 *
 * Playwright's driver, which the accounts share, hands on each uncaught error and each line of the console, at any
 * length. The page's own handlers still run, and it still reads its own console; only the way out is bounded.
 */
(function () {
  "use strict";
  const quiet = (event) => event.preventDefault(); // then Chromium does not report it
  window.addEventListener("error", quiet, true);
  window.addEventListener("unhandledrejection", quiet, true);

  for (const name of Object.keys(console)) {
    if (typeof console[name] !== "function") continue;
    try {
      console[name] = () => {};
    } catch {
      // a build of the browser that keeps it
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
