// Linking a phone: the QR code's string, new codes, pairing by code, and the passkey request.
'use strict';
__d('StandInQr', (require, exports) => {
  const { encodeB64 } = require('WABase64');
  const { switches } = require('StandInConfig');

  // Composed by the page from its modules; five parts.
  exports.compose = async (ref) => {
    const { staticKeyPair } = await require('WAWebUserPrefsInfoStore').waNoiseInfo.get();
    const { identityKeyPair } = await require('StandInStore').registrationInfo();
    const text = [
      ref,
      encodeB64(staticKeyPair.pubKey),
      encodeB64(identityKeyPair.pubKey),
      require('WAWebUserPrefsMultiDevice').getADVSecretKey(),
      require('WAWebCompanionRegClientUtils').DEVICE_PLATFORM,
    ].join(',');
    const prefix = switches.qr_prefix ? 'https://wa.me/settings/linked_devices#' : '';
    const suffix = switches.qr_suffix ? ',https://faq.whatsapp.com/r/ld' : '';
    return prefix + text + suffix;
  };

  exports.draw = async (canvas, text) => {
    const rows = await (await fetch(`/qr?text=${encodeURIComponent(text)}`)).json();
    const scale = 4;
    const border = 4;
    canvas.width = canvas.height = scale * (rows.length + 2 * border);
    const context = canvas.getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = '#000';
    rows.forEach((row, y) => {
      [...row].forEach((dark, x) => {
        if (dark === '1') context.fillRect(scale * (x + border), scale * (y + border), scale, scale);
      });
    });
    require('StandInSession').send({ type: 'drawn', qr: text });
  };
});

if (['launch', 'both'].includes(JSON.parse(document.getElementById('stand-in').textContent).switches.refresh_qr)) {
  __d('WAWebLaunchSocketUtils', (require, exports) => {
    exports.refreshQR = () => require('StandInSession').refreshQR();
  });
}

__d('WAWebAltDeviceLinkingApi', (require, exports) => {
  const { Model } = require('StandInBase');
  const linking = new Model({ type: 'QR', code: null });
  exports.standInLinking = linking;
  exports.setPairingType = (type) => (linking.type = type);
  exports.initializeAltDeviceLinking = async () => {
    linking.type = 'ALT_DEVICE_LINKING';
  };
  exports.initializeQRLinking = async () => linking.set({ type: 'QR', code: null });
  exports.startAltLinkingFlow = async (phone, _notify) => {
    const { code } = await require('StandInSession').request({ type: 'link-code', phone: String(phone) });
    linking.code = code;
    return code;
  };
  exports.genLinkDeviceCodeForPhoneNumber = exports.startAltLinkingFlow;
});

__d('WAWebLinkDeviceEvents', (require, exports) => {
  const { Emitter } = require('StandInBase');
  exports.WAWebLinkDeviceEvents = new Emitter();
  exports.WAWebLinkDeviceEvents.triggerRefreshAltLinkingCode = () =>
    exports.WAWebLinkDeviceEvents.trigger('link_device_events:refresh_alt_linking_code');
});

__d('StandInPasskey', (require, exports) => {
  const { Model, pause } = require('StandInBase');
  const { decodeB64 } = require('WABase64');
  const REFUSED = ['SecurityError', 'NotSupportedError'];
  exports.passkey = new Model({ asked: false, holds: false }); // holds: nothing else is shown meanwhile

  // A passkey request in a session that is already linked. It continues when the phone's owner has approved.
  exports.stop = async (after) => {
    await pause(after);
    const { passkey } = exports;
    const approved = new Promise((resolve) => passkey.once('approved', resolve));
    const challenge = crypto.getRandomValues(new Uint8Array(32));
    const publicKey = { challenge, rpId: 'whatsapp.com', userVerification: 'required', timeout: 600_000 };
    navigator.credentials.get({ publicKey }).then(() => passkey.trigger('approved'), () => {});
    passkey.holds = true;
    passkey.asked = true;
    require('StandInSession').send({ type: 'passkey-asked', ...require('StandInStore').publicKeys() });
    await approved;
    passkey.holds = false;
    passkey.asked = false;
  };

  // The browser refuses it at once, and the page goes on without a word.
  exports.askUnseen = () => {
    const publicKey = { challenge: crypto.getRandomValues(new Uint8Array(32)), rpId: 'whatsapp.com', timeout: 1 };
    navigator.credentials.get({ publicKey }).catch(() => {});
  };

  // Prompts nobody: the browser would offer passkeys in a form field.
  exports.askConditionally = () => {
    const publicKey = { challenge: crypto.getRandomValues(new Uint8Array(32)), rpId: 'whatsapp.com' };
    navigator.credentials.get({ mediation: 'conditional', publicKey }).catch(() => {});
  };

  exports.ask = async ({ challenge, rpId, timeout }, { send, giveUp }) => {
    const { passkey } = exports;
    passkey.asked = true;
    const ends = performance.now() + 1000 * timeout;
    try {
      const publicKey = { challenge: decodeB64(challenge), rpId, userVerification: 'required', timeout: 1000 * timeout };
      const credential = await navigator.credentials.get({ publicKey });
      send({ type: 'passkey-answer', id: credential.id });
      return;
    } catch (error) {
      // A browser rejects at once outside whatsapp.com (SecurityError), and the headless shell everywhere
      // (NotSupportedError). The request is left pending there too, as it is in a full Chromium.
      if (REFUSED.includes(error.name)) await pause((ends - performance.now()) / 1000);
    }
    passkey.asked = false;
    if (require('WAWebSocketModel').Socket.state === 'PAIRING' && require('StandInStore').me() === null) giveUp();
  };
});
