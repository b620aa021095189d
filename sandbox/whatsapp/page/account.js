// The linked account and what it can do: addresses, chats, messages, the light query, presence.
'use strict';
__d('WAWebUserPrefsMeUser', (require, exports) => {
  const { Wid } = require('StandInBase');
  const store = require('StandInStore');
  const { live } = require('StandInLive');
  const ANOTHER = '4915119999999:1@c.us';
  const me = () => (live.another_number ? ANOTHER : store.me());
  const wid = (text) => (text === null ? undefined : new Wid(text));
  const userOf = (full) => full && new Wid(`${full.user}@${full.server}`);
  exports.getMaybeMeDevicePnUser = () => (store.tells('all') ? wid(me()) : undefined);
  exports.getMaybeMeDeviceLid = () => wid(store.lid());
  exports.getMaybeMePnUser = () => userOf(exports.getMaybeMeDevicePnUser());
  exports.getMaybeMeLidUser = () => userOf(exports.getMaybeMeDeviceLid());
  exports.getMaybeMeUser = () => (store.tells('me_user') ? userOf(wid(me())) : exports.getMaybeMeLidUser());
  exports.getMeUser = exports.getMaybeMeUser;
});

// Two names that wa-js finds by their exports; the real modules' ids are unknown to us.
__d('WAWebStandInLogin', (require, exports) => {
  const store = require('StandInStore');
  exports.isRegistered = () => store.me() !== null;
  exports.isLoggedIn = () => store.me() !== null;
});

__d('WAWebUserPrefsInfoStore', (require, exports) => {
  exports.waNoiseInfo = { get: async () => require('StandInStore').noiseInfo() };
});

__d('WAWebSignalStoreApi', (require, exports) => {
  const never = require('StandInConfig').switches.keys_hang;
  const getRegistrationInfo = async () => (never ? new Promise(() => {}) : require('StandInStore').registrationInfo());
  exports.waSignalStore = { getRegistrationInfo };
});

__d('WAWebUserPrefsMultiDevice', (require, exports) => {
  exports.getADVSecretKey = () => require('StandInStore').advSecret();
  exports.setADVSignedIdentity = () => {};
});

__d('WAWebCompanionRegClientUtils', (_, exports) => {
  exports.DEVICE_PLATFORM = '1'; // Chrome
});

__d('WAWebAdvSignatureApi', (_, exports) => {
  exports.verifyDeviceIdentityAccountSignature = async () => true;
});

__d('WAWebWidFactory', (require, exports) => {
  const { Wid } = require('StandInBase');
  exports.createWid = (value) => (Wid.isWid(value) ? value : new Wid(value?._serialized ?? value));
  exports.createWidFromWidLike = exports.createWid;
  exports.createUserWid = (user, server = 'c.us') => new Wid(`${user}@${server}`);
  exports.isWidlike = (value) => Boolean(value?._serialized);
});

__d('WAWebCollections', (require, exports) => {
  const { Collection } = require('StandInBase');
  for (const name of ['Msg', 'Chat', 'Contact', 'Blocklist', 'GroupMetadata', 'Label', 'Presence', 'Status', 'Call']) {
    exports[name] = new Collection();
  }
  exports.Msg.getMessagesById = async (ids) => ({ messages: ids.map((id) => exports.Msg.get(id)).filter(Boolean) });
});

__d('WAWebCallCollection', (_, exports) => {
  exports.on = () => {};
  exports.calls = new Map();
});

__d('WAWebSyncGatingUtils', (_, exports) => {
  exports.isPlaceholderMessageResendEnabled = () => false;
});

__d('WALinkify', (_, exports) => {
  exports.findLinks = (text) => [...String(text ?? '').matchAll(/https?:\/\/\S+/g)].map(([href]) => ({ href, url: href }));
  exports.findLink = (text) => exports.findLinks(text)[0];
});

__d('StandInInbox', (require, exports) => {
  const { Model, Wid } = require('StandInBase');
  const { Msg, Chat } = require('WAWebCollections');

  exports.deliver = ({ id, remote, from_me: fromMe, body, t }) => {
    const chat = new Wid(remote);
    const me = require('WAWebUserPrefsMeUser').getMaybeMePnUser();
    if (!Chat.get(chat)) Chat.add(new Model({ id: chat, unreadCount: 0, archive: false, name: chat.user, t }));
    Msg.add(
      new Model({
        id: { fromMe, remote: chat, id, _serialized: `${fromMe}_${chat}_${id}` },
        from: fromMe ? me : chat,
        to: fromMe ? chat : me,
        type: 'chat',
        body,
        t,
        ack: fromMe ? 1 : 0,
        isNewMsg: true,
        isEphemeral: false,
        isStatusV3: false,
      }),
    );
    if (!fromMe) Chat.get(chat).unreadCount += 1;
  };
});

__d('WAWebPresenceChatAction', (require, exports) => {
  const tell = (available) => {
    require('WAWebStreamModel').Stream.available = available;
    require('StandInSession').send({ type: 'presence', available }); // never answered
  };
  exports.sendPresenceAvailable = async () => tell(true);
  exports.sendPresenceUnavailable = async () => tell(false);
});

if (!JSON.parse(document.getElementById('stand-in').textContent).switches.no_exists_query) {
  __d('WAWebQueryExistsJob', (require, exports) => {
    const { createWid } = require('WAWebWidFactory');
    // Answered by the server, or not at all while it is silent or the socket is not CONNECTED.
    exports.queryWidExists = async (wid) => {
      const { live } = require('StandInLive');
      if (live.own_query === 'null') return null;
      if (live.own_query === 'error') throw new Error('query failed');
      if (live.own_query === 'never') await new Promise(() => {});
      const { exists, wid: found } = await require('StandInSession').request({ type: 'query-exists', wid: String(wid) });
      return exists ? { wid: createWid(found), biz: false, disappearing_mode: undefined } : null;
    };
    exports.queryPhoneExists = exports.queryWidExists;
  });
}

// A temporary ban. No known client reads its end from the page, so this surface is the stand-in's own:
// WAWebTemporaryBan.TemporaryBan.expiresAt (unix seconds) and [data-testid=temporary-ban][data-expires-at].
__d('WAWebTemporaryBan', (require, exports) => {
  const { Model } = require('StandInBase');
  exports.TemporaryBan = new Model({ expiresAt: undefined, code: undefined });
});

__d('StandInBan', (require, exports) => {
  exports.begin = ({ expire, code }, block) => {
    const { TemporaryBan } = require('WAWebTemporaryBan');
    TemporaryBan.set({ code, expiresAt: Math.floor(Date.now() / 1000) + Math.ceil(expire) });
    block();
  };
});
