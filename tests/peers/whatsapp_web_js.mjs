// Runs an unmodified whatsapp-web.js client: arguments come as one JSON argument, events go out as JSON lines,
// commands come in as words on stdin (destroy, logout, state). Nothing is decided here; the test does.
//   {"port", "profile", "chromium", "args", "options"}
import { createInterface } from 'node:readline';
import wwebjs from 'whatsapp-web.js';

const { port, profile, chromium, args = [], options = {} } = JSON.parse(process.argv[2]);
const say = (event, ...args) => process.stdout.write(`${JSON.stringify([event, ...args])}\n`);

const client = new wwebjs.Client({
  authStrategy: new wwebjs.LocalAuth({ dataPath: profile }),
  webVersionCache: { type: 'none' },
  puppeteer: {
    headless: chromium.includes('headless-shell') ? 'shell' : true,
    executablePath: chromium,
    args: [
      '--no-sandbox',
      `--host-resolver-rules=MAP web.whatsapp.com 127.0.0.1:${port}`,
      '--ignore-certificate-errors',
      ...args,
    ],
  },
  ...options,
});

for (const event of ['qr', 'code', 'authenticated', 'auth_failure', 'change_state', 'loading_screen', 'disconnected']) {
  client.on(event, (...args) => say(event, ...args));
}
client.on('ready', () => say('ready', client.info.wid._serialized, client.info.pushname, client.info.platform));
client.on('message', (message) => say('message', message.from, message.body));
process.on('unhandledRejection', (error) => say('unhandled', String(error)));

const commands = {
  state: async () => say('state', await client.getState()),
  logout: async () => say('logged out', await client.logout()),
  destroy: async () => {
    await client.destroy();
    process.exit(0);
  },
};
createInterface({ input: process.stdin })
  .on('line', (line) => commands[line]().catch((error) => say('failed', line, String(error))))
  .on('close', commands.destroy);

client.initialize().catch((error) => say('failed', 'initialize', String(error)));
