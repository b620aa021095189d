// The module loader and the first seconds: `__d`, `require` and the progress bar, then the bundle.
// Nothing of WhatsApp's own is defined here.
'use strict';
(() => {
  const config = JSON.parse(document.getElementById('stand-in').textContent);
  const nonce = document.currentScript.nonce;
  const { timings, switches } = config;
  const kept = localStorage.getItem('last-wid-md') ?? localStorage.getItem('StandInWid');
  Object.assign(switches, config.of_numbers[/\d+/.exec(kept ?? '')?.[0]]);
  const modules = Object.create(null);
  // An unknown build gives all of WhatsApp's modules different names; the same build always the same ones.
  const disguised = (id) =>
    switches.unknown_build !== 'off' && id.startsWith('WA') ? `XQ${[...id].map((c) => c.charCodeAt(0).toString(36)).join('')}` : id;

  const hidden = Object.create(null); // modules missing in this build that the stand-in itself needs
  const load = (id, all = modules) => {
    const module = all[id];
    if (!module) throw new Error(`Requiring unknown module "${id}"`);
    if (!module.loaded) {
      module.loaded = true;
      module.factory(inner, module.exports);
    }
    return module.exports;
  };
  const inner = (id) => (id in hidden ? load(id, hidden) : load(disguised(id))); // used by the page's own modules

  modules.__debug = { exports: { modulesMap: modules }, loaded: true };
  modules.ErrorGuard = { exports: { skipGuardGlobal() {} }, loaded: true };
  // A debugging aid is not a module: clients that wait for modules must not see one before the bundle is loaded.
  for (const id of ['__debug', 'ErrorGuard']) Object.defineProperty(modules, id, { enumerable: false });

  window.__d = (id, factory) => {
    if (id === switches.missing_module) return void (hidden[id] = { factory, exports: {}, loaded: false });
    modules[disguised(id)] = { factory, exports: {}, loaded: false };
  };
  window.require = (id) => load(id);
  window.importNamespace = window.require;
  window.ErrorGuard = modules.ErrorGuard.exports;

  __d('StandInConfig', (_, exports) => Object.assign(exports, config));
  Object.defineProperty(modules, 'StandInConfig', { enumerable: false });

  if (switches.unknown_build === 'no_require') {
    delete window.require;
    delete window.importNamespace;
  }

  if (switches.reload_once && !sessionStorage.getItem('StandInReloaded')) {
    const again = () => {
      sessionStorage.setItem('StandInReloaded', '1');
      location.reload();
    };
    setTimeout(again, 1000 * switches.reload_once);
  }
  if (switches.reload_every) setTimeout(() => location.reload(), 1000 * switches.reload_every);
  if (switches.stale_worker) navigator.serviceWorker.register('/sw.js').catch(console.error);

  const restored = kept !== null;
  const early = restored && switches.synced_early;
  const wait = early ? 0 : (restored ? timings.load_restored : timings.load_cold) + switches.slow_load;
  const bar = document.querySelector('progress');
  const started = performance.now();
  const ticking = setInterval(() => {
    bar.value = Math.min(99, (100 * (performance.now() - started)) / 1000 / Math.max(wait, 0.1));
  }, 100);
  if (switches.endless_load) return;

  setTimeout(async () => {
    for (const name of config.bundle) {
      const script = document.createElement('script');
      script.src = `/assets/${name}`;
      script.nonce = nonce;
      const loaded = new Promise((resolve, reject) => {
        script.onload = resolve;
        script.onerror = reject;
      });
      await new Promise((resolve) => setTimeout(resolve, 1000 * switches.slow_bundle));
      document.head.append(script);
      await loaded;
    }
    clearInterval(ticking);
    if (config.heavy !== null) inner('StandInHeavy').start().catch(console.error);
    await inner('StandInStart').start();
    // Whoever waits for Debug comes too late, however slow the server is.
    if (early && !inner('StandInSession').isUsable()) await new Promise((done) => inner('WAWebSocketModel').Socket.once('usable', done));
    if (!switches.debug_never) {
      setTimeout(() => {
        window.Debug = { VERSION: switches.unknown_build === 'off' ? config.version : '9.9999.0' };
      }, 1000 * timings.debug);
    }
  }, 1000 * wait);
})();
