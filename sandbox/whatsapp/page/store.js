// The page's storage: identity keys and ADV secret in IndexedDB, noise keys wrapped in localStorage (and
// again in CacheStorage), its identity in localStorage. A session exists only while all of them do.
//
// The device's own address ('last-wid-md') is written to localStorage right after linking. Chromium commits that
// a few seconds late: if killed before, the profile comes back as a page that was never linked.
'use strict';
__d('StandInStore', (require, exports) => {
  const { encodeB64, decodeB64 } = require('WABase64');
  const DATABASE = 'signal-storage';
  const TABLE = 'signal-meta-store';
  const CACHE = 'wa-noise-info';
  const ME = 'last-wid-md';
  const UNTOLD = 'StandInWid'; // the same, where the page must not reveal it
  const LID = 'WALid';
  const NOISE = 'WANoiseInfo';
  const kept = {}; // in memory, after open()

  const settled = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });

  const table = async (mode, work) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE, { keyPath: 'key' });
    const database = await settled(opening);
    try {
      return await settled(work(database.transaction(TABLE, mode).objectStore(TABLE)));
    } finally {
      database.close();
    }
  };
  const read = async (key) => (await table('readonly', (rows) => rows.get(key)))?.value;
  const write = (key, value) => table('readwrite', (rows) => rows.put({ key, value }));

  const rawPublic = (key) => crypto.subtle.exportKey('raw', key);

  const makeKeys = async () => {
    const identity = await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
    const noise = await crypto.subtle.generateKey({ name: 'X25519' }, true, ['deriveBits']);
    const wrapping = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const secret = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, wrapping, await crypto.subtle.exportKey('pkcs8', noise.privateKey));
    const info = JSON.stringify({ iv: encodeB64(iv), key: encodeB64(secret), pub: encodeB64(await rawPublic(noise.publicKey)) });
    await write('identity', identity); // CryptoKeys: copying the storage as JSON loses them
    await write('wrapping', wrapping);
    await write('adv_secret', crypto.getRandomValues(new Uint8Array(32)).buffer);
    await write('registration', { registrationId: crypto.getRandomValues(new Uint16Array(1))[0] });
    localStorage.setItem(NOISE, info);
    await (await caches.open(CACHE)).put('/noise-info', new Response(info));
  };

  const readKeys = async () => {
    const info = JSON.parse(localStorage.getItem(NOISE) ?? 'null');
    const identity = await read('identity');
    const wrapping = await read('wrapping');
    const adv = await read('adv_secret');
    if (!info || !identity || !wrapping || !adv) return false;
    try {
      const secret = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: decodeB64(info.iv) }, wrapping, decodeB64(info.key));
      kept.noisePrivate = await crypto.subtle.importKey('pkcs8', secret, { name: 'X25519' }, false, ['deriveBits']);
      kept.noisePublic = decodeB64(info.pub);
    } catch {
      return false; // the two halves are from different sessions
    }
    kept.identity = identity;
    kept.identityPublic = await rawPublic(identity.publicKey);
    kept.adv = encodeB64(adv);
    kept.registrationId = (await read('registration')).registrationId;
    return true;
  };

  exports.open = async () => {
    if (await readKeys()) return;
    await exports.clear();
    await makeKeys();
    await readKeys();
  };

  exports.clear = async () => {
    localStorage.clear();
    await caches.delete(CACHE);
    await settled(indexedDB.deleteDatabase(DATABASE));
  };

  exports.publicKeys = () => ({ static: encodeB64(kept.noisePublic), identity: encodeB64(kept.identityPublic) });
  exports.noiseInfo = () => ({ staticKeyPair: { pubKey: kept.noisePublic, privKey: kept.noisePrivate } });
  exports.registrationInfo = () => ({
    registrationId: kept.registrationId,
    identityKeyPair: { pubKey: kept.identityPublic, privKey: kept.identity.privateKey },
  });
  exports.advSecret = () => kept.adv;
  exports.me = () => (localStorage.getItem(ME) ?? localStorage.getItem(UNTOLD))?.replaceAll('"', '') ?? null;
  exports.lid = () => localStorage.getItem(LID)?.replaceAll('"', '') ?? null;
  exports.remember = (wid, lid) => {
    localStorage.setItem(exports.tells('last_wid') ? ME : UNTOLD, JSON.stringify(wid));
    localStorage.setItem(LID, JSON.stringify(lid));
  };

  // Apply what is switched for this number alone.
  exports.apply = (switches) => {
    Object.assign(require('StandInConfig').switches, switches);
    require('StandInLive').live.set(switches);
  };

  // Whether the number can be read in a place now: if not, only the LID is there.
  exports.tells = (place) => {
    const { switches } = require('StandInConfig');
    const isLate = performance.now() < 1000 * switches.late_number;
    return !switches.lid_only && !isLate && [place, 'all'].includes(switches.number_from);
  };
  exports.settle = () => {
    const wid = exports.me();
    if (wid === null) return;
    localStorage.removeItem(ME);
    localStorage.removeItem(UNTOLD);
    localStorage.setItem(exports.tells('last_wid') ? ME : UNTOLD, JSON.stringify(wid));
  };

  // Proves both private keys: the identity key signs what only the noise key's holder can compute.
  exports.answer = async ({ nonce, ephemeral }) => {
    const theirs = await crypto.subtle.importKey('raw', decodeB64(ephemeral), { name: 'X25519' }, false, []);
    const shared = await crypto.subtle.deriveBits({ name: 'X25519', public: theirs }, kept.noisePrivate, 256);
    const message = await crypto.subtle.digest('SHA-256', await new Blob([decodeB64(nonce), shared]).arrayBuffer());
    return encodeB64(await crypto.subtle.sign({ name: 'Ed25519' }, kept.identity.privateKey, message));
  };
});
