// What every page shares: language, texts, money and time, the browser's memory, and calls to the
// server. Text reaches the document through textContent and setAttribute only.

import { texts } from './texts.js';

/** The demo rows' first buyer; the shop has no accounts. */
export const USER_ID = 1;

const LANGUAGE_KEY = 'shop.language';
const CART_KEY = 'shop.cart';
const PENDING_KEY = 'shop.pending';

// Storage may be denied (private windows, cookie settings); the page then forgets on reload, and
// works otherwise.
const unsaved = new Map();

function recall(key) {
  try {
    return localStorage.getItem(key) ?? unsaved.get(key) ?? null;
  } catch {
    return unsaved.get(key) ?? null;
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    unsaved.set(key, value);
  }
}

function recallObject(key) {
  try {
    const value = JSON.parse(recall(key));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

/** The cart as a Map of product id to quantity; entries that make no sense are dropped. */
export function readCart() {
  const entries = Object.entries(recallObject(CART_KEY))
    .map(([id, quantity]) => [Number(id), Number(quantity)])
    .filter(([id, quantity]) => Number.isSafeInteger(id) && id > 0
      && Number.isSafeInteger(quantity) && quantity > 0);
  return new Map(entries);
}

export function writeCart(cart) {
  remember(CART_KEY, JSON.stringify(Object.fromEntries(cart)));
}

/** Notes which order the cart was sent into, so that only its success empties the cart. */
export function writePending(order) {
  remember(PENDING_KEY, JSON.stringify({ orderId: order.orderId }));
}

/** Empties the cart if this order came from it; a reload of an old receipt leaves a new cart be. */
export function orderSettled(orderId) {
  if (recallObject(PENDING_KEY).orderId !== orderId) return;
  writeCart(new Map());
  writePending({ orderId: null });
}

// ---- language --------------------------------------------------------------------------------

let language = chosenLanguage();
let rerender = () => {};

function chosenLanguage() {
  const asked = new URLSearchParams(location.search).get('lang') ?? recall(LANGUAGE_KEY);
  return asked === 'en' ? 'en' : 'ko';
}

export function currentLanguage() {
  return language;
}

export function say(key, values = {}) {
  return Object.entries(values).reduce(
    (text, [name, value]) => text.replaceAll(`{${name}}`, () => String(value)),
    texts[language][key] ?? key,
  );
}

/** Gives an element a text of this page's language, which follows the language from then on. */
export function put(element, key) {
  element.dataset.text = key;
  element.textContent = say(key);
}

function applyLanguage() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = say(element.dataset.text);
  }
  for (const element of document.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', say(element.dataset.label));
  }
  for (const button of document.querySelectorAll('[data-language]')) {
    button.setAttribute('aria-pressed', String(button.dataset.language === language));
  }
  const title = { success: 'confirmPage', fail: 'failPage' }[document.body.dataset.page];
  document.title = title ? `${say(title)} · ${say('brand')}` : say('brand');
  rerender();
}

function chooseLanguage(chosen) {
  language = chosen;
  remember(LANGUAGE_KEY, chosen);
  const address = new URL(location.href);
  if (address.searchParams.has('lang')) {
    address.searchParams.set('lang', chosen);
    history.replaceState(null, '', address);
  }
  applyLanguage();
}

/** Starts a page: `render` draws what is not in the HTML, and is called again on a new language. */
export function startPage(render) {
  rerender = render;
  if (new URLSearchParams(location.search).has('lang')) remember(LANGUAGE_KEY, language);
  for (const button of document.querySelectorAll('[data-language]')) {
    button.addEventListener('click', () => chooseLanguage(button.dataset.language));
  }
  // Only a live key moves money.
  const live = document.body.dataset.clientKey.startsWith('live_');
  document.getElementById('demo-notice').hidden = live;
  applyLanguage();
}

// ---- money, time, alerts ---------------------------------------------------------------------

export function won(amount) {
  const digits = Number(amount).toLocaleString('ko-KR');
  return language === 'en' ? `₩${digits}` : `${digits}원`;
}

/** An RFC 3339 time in Korean time, whatever the visitor's own zone is. */
export function koreanTime(time) {
  const parsed = new Date(time);
  if (Number.isNaN(parsed.getTime())) return String(time);
  const format = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : 'ko-KR', {
    timeZone: 'Asia/Seoul', year: 'numeric', month: language === 'en' ? 'short' : 'long',
    day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
  });
  return `${format.format(parsed)} KST`;
}

/** Shows a message in the page's alert, or takes it away when there is none. */
export function alertWith(message) {
  const box = document.getElementById('alert');
  box.textContent = message ?? '';
  box.hidden = !message;
  if (message) box.scrollIntoView({ block: 'nearest' });
}

// ---- server ----------------------------------------------------------------------------------

/** A refusal of the server, in its own words: `code`, `message`, `retryable`, `details`. */
export class Refusal extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.retryable = error.retryable === true;
    this.details = error.details ?? {};
  }
}

/** No answer that could be read: the request may or may not have been carried out. */
export class NoAnswer extends Error {}

export async function call(path, { body, headers = {}, timeoutMs = 15_000 } = {}) {
  let response;
  let answer;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  try {
    response = await fetch(path, {
      method: body === undefined ? 'GET' : 'POST',
      cache: 'no-store',
      signal: stop.signal,
      headers: {
        Accept: 'application/json',
        'Accept-Language': language,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    answer = await response.json();
  } catch (cause) {
    throw new NoAnswer(`no answer from ${path}`, { cause });
  } finally {
    clearTimeout(timer);
  }
  if (response.ok && answer?.data !== undefined) return answer.data;
  if (answer?.error?.code) throw new Refusal(response.status, answer.error);
  throw new NoAnswer(`an answer without data from ${path}`);
}

/** The products on sale, whether the list comes bare or as a page of items. */
export async function readProducts() {
  const data = await call('/api/v1/products');
  return Array.isArray(data) ? data : data.items ?? [];
}

/** A new key per attempt; `randomUUID` exists only in secure contexts (https, localhost). */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
