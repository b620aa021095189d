// Access to both stand-ins. Contents: requests and the event stream. Not here: what they mean.

import { toast } from "./dom.js";

async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("The sandbox does not answer. Is it still running?");
  }
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.error || `The sandbox answered ${answer.status}.`);
  return found;
}

export const get = (path) => ask("GET", path);
export const post = (path, body = {}) => ask("POST", path, body);
export const remove = (path, body) => ask("DELETE", path, body);

/** Performs an action; an error is shown in one line at the bottom. */
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    toast(error.message, "bad");
    return undefined;
  }
}

/** Calls `onEvent` for each Telegram event after event number `after`, `onState` with true or false. */
export function listen(after, onEvent, onState) {
  const stream = new EventSource(`/telegram/client/events?after=${after}`);
  stream.onmessage = (message) => onEvent(JSON.parse(message.data));
  stream.onopen = () => onState(true);
  stream.onerror = () => onState(false);
  return stream;
}
