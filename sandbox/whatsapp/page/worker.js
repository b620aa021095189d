// An outdated service worker: it answers every navigation with its cached page, whose scripts no longer exist.
'use strict';
const STALE = `<!doctype html><html lang="en"><head><title>WhatsApp</title></head><body>
<div id="app"><div id="wa_web_initial_startup"><progress value="0" max="100"></progress></div></div>
<script src="/assets/boot.gone.js"></script></body></html>`;

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  if (event.request.mode !== 'navigate') return;
  event.respondWith(new Response(STALE, { headers: { 'Content-Type': 'text/html' } }));
});
