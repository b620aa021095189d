// The visible page, with the test ids and attributes that drivers look for; and the stand-in's own orders.
'use strict';
__d('StandInSurface', (require, exports) => {
  const { timings } = require('StandInConfig');
  const { pause } = require('StandInBase');
  const { Socket } = require('WAWebSocketModel');
  const { Conn } = require('WAWebConnModel');
  const { Chat } = require('WAWebCollections');
  const { switches } = require('StandInConfig');
  const linking = require('WAWebAltDeviceLinkingApi').standInLinking;
  const { passkey } = require('StandInPasskey');
  const ban = require('WAWebTemporaryBan').TemporaryBan;
  const names = switches.unknown_build === 'all' ? { testid: 'data-tid', id: 'data-id' } : { testid: 'data-testid' };
  const app = document.getElementById('app');
  let shown = null; // 'landing' | 'main' | 'blocked'
  let firstQr = null;

  const element = (tag, attributes = {}, children = []) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
      else made.setAttribute(names[name] ?? name, value);
    }
    made.append(...children);
    return made;
  };
  const show = (name, ...children) => {
    shown = name;
    app.replaceChildren(...children);
  };
  const find = (id) => app.querySelector(`[${names.testid}="${id}"]`);

  const landing = () => {
    if (shown === 'landing') return;
    show(
      'landing',
      element('div', { class: 'landing', testid: 'link-device-landing' }, [
        element('h1', {}, ['Log into WhatsApp Web']),
        element('div', { class: 'code', testid: 'link-device-qr-code' }, []),
        element('p', { testid: 'link-device-qrcode-alt-linking-hint' }, ['Link with phone number']),
      ]),
    );
    firstQr ??= pause(timings.qr_drawn);
  };

  const code = async () => {
    landing();
    const { ref } = Conn;
    await firstQr;
    if (ref !== Conn.ref || shown !== 'landing') return;
    const text = await require('StandInQr').compose(ref);
    if (ref !== Conn.ref || shown !== 'landing') return;
    const box = find('link-device-qr-code');
    const canvas = element('canvas', { 'aria-label': 'Scan this QR code to link a device!', role: 'img' });
    await require('StandInQr').draw(canvas, text);
    if (ref !== Conn.ref || !box.isConnected) return;
    box.setAttribute('data-ref', text);
    box.replaceChildren(canvas);
    if (Socket.state === 'UNPAIRED_IDLE') expired(); // meanwhile
    find('link-device-qrcode-alt-linking-hint')?.remove();
  };

  const expired = () => {
    landing();
    const press = () => require('StandInSession').refreshQR();
    find('link-device-qr-code').append(
      element('button', { testid: 'link_device_qr_expired_refresh_button', onclick: press }, ['Click to reload QR code']),
    );
  };

  const pairingCode = () => {
    if (linking.type !== 'ALT_DEVICE_LINKING' || linking.code === null) {
      app.querySelector('[data-link-code]')?.remove();
      return;
    }
    landing();
    app.querySelector('[data-link-code]')?.remove();
    const letters = [...linking.code].join(',');
    app.firstChild.append(element('div', { class: 'link-code', 'data-link-code': letters }, [linking.code]));
  };

  const askedForPasskey = () => {
    if (!passkey.asked) {
      if (shown === 'passkey') {
        shown = null;
        onState();
      }
      return;
    }
    show('passkey', element('div', { class: 'landing', testid: 'link-device-passkey' }, ['Confirm with your passkey to link this device']));
  };

  const syncing = () => {
    if (shown === 'main') return;
    show('syncing', element('div', { id: 'wa_web_initial_startup' }, [element('progress', { max: 100 }), element('p', {}, ['Loading your chats'])]));
  };

  exports.bar = (percent) => {
    const bar = document.querySelector('#wa_web_initial_startup progress');
    if (bar) bar.value = percent;
  };

  const main = () => {
    if (shown === 'main') return;
    const list = element('div', { testid: 'chat-list', role: 'grid', 'aria-label': 'Chat list' });
    show(
      'main',
      element('div', { class: 'main' }, [
        element('div', { id: 'pane-side' }, [list]),
        element('div', { id: 'main', testid: 'intro' }, ['WhatsApp Web']),
      ]),
    );
    rows();
  };

  const rows = () => {
    const list = find('chat-list');
    const chats = Chat.getModelsArray().map((chat) => `+${chat.id.user}`);
    list?.replaceChildren(...['Support Berlin', ...chats].map((name) => element('div', { role: 'row' }, [name])));
  };

  const notice = (text) => {
    app.querySelector('.notice')?.remove();
    if (text && shown === 'main') find('chat-list')?.before(element('div', { class: 'notice', testid: 'alert-computer' }, [text]));
  };

  const conflict = () => {
    const here = () => Socket.takeover();
    const button = element('button', { testid: 'popup-controls-ok', onclick: here }, ['Use here']);
    show('conflict', element('div', { class: 'landing', testid: 'confirm-popup' }, ['WhatsApp is open in another window.', button]));
  };

  const blocked = (text) => show('blocked', element('div', { class: 'landing', testid: 'blocked' }, [text]));

  const banned = () => {
    const until = new Date(1000 * ban.expiresAt).toISOString();
    const text = `Your account is temporarily banned from using WhatsApp until ${until}`;
    show('blocked', element('div', { class: 'landing', testid: 'temporary-ban', 'data-expires-at': ban.expiresAt }, [text]));
  };

  const onState = async () => {
    const { state } = Socket;
    const linked = require('StandInStore').me() !== null;
    if (passkey.holds) return;
    if (state === 'UNPAIRED_IDLE') expired();
    else if (state === 'UNPAIRED') code();
    else if (state === 'CONFLICT') conflict();
    else if (state === 'CONNECTED') {
      syncing();
      notice(null);
      await pause(switches.synced_early ? 0 : timings.chat_list);
      if (passkey.holds) return; // requested meanwhile
      if (Socket.state === 'CONNECTED' && (Socket.hasSynced || require('StandInSession').isUsable())) main();
    } else if (state === 'OPENING' && linked) notice('Computer not connected');
    else if (state === 'TOS_BLOCK' && ban.expiresAt) banned();
    else if (state === 'TOS_BLOCK' || state === 'SMB_TOS_BLOCK') blocked('This account is not allowed to use WhatsApp');
    else if (state === 'PROXYBLOCK') blocked('WhatsApp Web is not available on this network');
    else if (state === 'DEPRECATED_VERSION') blocked('Update WhatsApp Web to continue');
  };

  exports.start = async () => {
    Socket.on('change:state', onState);
    Socket.on('change:hasSynced usable', onState);
    Conn.on('change:ref', () => {
      if (Socket.state === 'UNPAIRED') code();
    });
    linking.on('change', pairingCode);
    passkey.on('change:asked', askedForPasskey);
    Chat.on('add', rows);
    if (require('StandInStore').me() === null) return;
    // A restored session shows its chats from its own database, whether or not a socket ever opens.
    pause(timings.open + timings.chat_list).then(() => {
      if (Socket.state === 'OPENING' && !passkey.holds) {
        main();
        notice('Computer not connected');
      }
    });
  };
});
