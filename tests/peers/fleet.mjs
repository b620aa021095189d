// Runs several unmodified whatsapp-web.js clients in one process, as people do who keep many accounts with it. A client
// whose browser dies is made anew at once, since the library does not do it. Arguments as JSON, events as JSON lines:
//   {"port", "profile", "chromium", "numbers"} → ["qr", number, code] · ["ready", number] · ["lost", number]
import { createInterface } from 'node:readline';
import wwebjs from 'whatsapp-web.js';

const { port, profile, chromium, numbers } = JSON.parse(process.argv[2]);
const say = (event, ...args) => process.stdout.write(`${JSON.stringify([event, ...args])}\n`);
const clients = new Map();
let ending = false;

const open = async (number) => {
  const client = new wwebjs.Client({
    authStrategy: new wwebjs.LocalAuth({ dataPath: profile, clientId: number.replace('+', '') }),
    webVersionCache: { type: 'none' },
    puppeteer: {
      headless: chromium.includes('headless-shell') ? 'shell' : true,
      executablePath: chromium,
      args: [
        '--no-sandbox',
        `--host-resolver-rules=MAP web.whatsapp.com 127.0.0.1:${port}`,
        '--ignore-certificate-errors',
      ],
    },
  });
  clients.set(number, client);
  client.on('qr', (code) => say('qr', number, code));
  client.on('ready', () => {
    client.pupBrowser.once('disconnected', () => {
      if (ending) return;
      say('lost', number);
      again(number);
    });
    say('ready', number);
  });
  await client.initialize();
};

const again = (number) => open(number).catch((error) => say('failed', number, String(error)));

createInterface({ input: process.stdin }).on('line', async (line) => {
  if (line !== 'destroy') return;
  ending = true;
  await Promise.allSettled([...clients.values()].map((client) => client.destroy()));
  process.exit(0);
});
process.on('unhandledRejection', (error) => say('unhandled', String(error)));

numbers.forEach(again);
