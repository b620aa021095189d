// Runs several unmodified whatsapp-web.js clients in one process, as people do who keep many accounts with it. A client
// whose browser dies or that does not come up is made anew at once, since the library does not do it. At most `atOnce`
// come up at the same time, all if it is null. Arguments as JSON, events as JSON lines:
//   {"port", "profile", "chromium", "numbers", "atOnce"}
//   → ["qr", number, code] · ["ready", number] · ["lost", number] · ["failed", number, why]
import { createInterface } from 'node:readline';
import wwebjs from 'whatsapp-web.js';

const { port, profile, chromium, numbers, atOnce } = JSON.parse(process.argv[2]);
const say = (event, ...args) => process.stdout.write(`${JSON.stringify([event, ...args])}\n`);
const clients = new Map();
let ending = false;
const READY_WITHIN = 45_000; // under load it can miss that its page has synced, and then waits for ever

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
  const inTime = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready within ${READY_WITHIN} ms`)), READY_WITHIN);
    for (const event of ['qr', 'ready']) client.once(event, () => resolve(clearTimeout(timer)));
  });
  client.on('qr', (code) => say('qr', number, code));
  client.on('ready', () => {
    client.pupBrowser.once('disconnected', () => {
      if (ending) return;
      say('lost', number);
      again(number);
    });
    say('ready', number);
    next();
  });
  await Promise.all([client.initialize(), inTime]);
};

const again = (number) =>
  open(number).catch(async (error) => {
    say('failed', number, String(error));
    await clients.get(number).destroy().catch(() => {});
    if (!ending) again(number);
  });

createInterface({ input: process.stdin }).on('line', async (line) => {
  if (line !== 'destroy') return;
  ending = true;
  await Promise.allSettled([...clients.values()].map((client) => client.destroy()));
  process.exit(0);
});
process.on('unhandledRejection', (error) => say('unhandled', String(error)));

const waiting = [...numbers];
const next = () => waiting.length > 0 && again(waiting.shift());
for (let started = 0; started < (atOnce ?? numbers.length); started += 1) next();
