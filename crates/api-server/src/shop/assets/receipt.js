// The two pages the payment window returns to: success (confirm, then show the order) and failure.

import {
  Refusal, USER_ID, alertWith, call, currentLanguage, koreanTime, orderSettled, put, readProducts,
  say, startPage, won,
} from './page.js';
import { methodsInEnglish } from './texts.js';

/** Longer than the server's own wait for a confirm (65 s by default). */
const CONFIRM_TIMEOUT_MS = 80_000;
/** 1 s, 2 s, 3 s, then every 4 s: about two and a half minutes, longer than a lease and a recovery. */
const LOOKS_MAX = 40;
const LOOK_DELAY_MS_MAX = 4_000;
/** Each may take as long as the server waits. */
const CONFIRMS_MAX = 5;
/** Text from the address bar is anybody's: show a bounded piece of it. */
const FOREIGN_TEXT_MAX = 300;

const at = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const pause = (ms) => new Promise((resume) => { setTimeout(resume, ms); });

// ---- success ---------------------------------------------------------------------------------

const order = {
  orderId: query.get('orderId') ?? '',
  paymentKey: query.get('paymentKey') ?? '',
  amount: Number(query.get('amount')),
};
let payment = null;
let names = new Map();

/** Title and lead of each status; what is missing here is still undecided. */
const outcomes = {
  DONE: 'done',
  WAITING_FOR_DEPOSIT: 'deposit',
  FAILED: 'failed',
  EXPIRED: 'expired',
  CANCELED: 'canceled',
  PARTIAL_CANCELED: 'partial',
  QUARANTINED: 'quarantined',
};

/** Shows a state: `look` picks the sign (wait, done, fail), `text` the title and lead. */
function show(status, look, text, lead = `${text}Lead`) {
  const result = at('result');
  result.dataset.status = status;
  result.dataset.look = look;
  delete result.dataset.code;
  result.setAttribute('aria-busy', String(look === 'wait'));
  put(at('result-title'), `${text}Title`);
  put(at('result-lead'), lead);
  at('again').hidden = true;
  const toCart = look === 'fail' && text !== 'missing';
  at('back').hidden = look === 'wait';
  at('back').href = toCart ? '/#cart' : '/';
  at('back').className = toCart ? 'primary' : 'quiet';
  put(at('back'), toCart ? 'toCart' : 'toShop');
}

function fact(name, value, id) {
  if (value === undefined || value === null || value === '') return [];
  const row = document.createElement('div');
  const term = document.createElement('dt');
  const text = document.createElement('dd');
  put(term, name);
  text.textContent = value;
  if (id) text.id = id;
  row.append(term, text);
  return [row];
}

function methodName(method) {
  return currentLanguage() === 'en' ? methodsInEnglish[method] ?? method : method;
}

function drawLines() {
  const lines = payment.orders ?? [];
  const list = at('order-lines');
  list.hidden = lines.length === 0;
  list.replaceChildren(...lines.map((line) => {
    const item = document.createElement('li');
    const name = document.createElement('span');
    const count = document.createElement('span');
    const amount = document.createElement('span');
    name.textContent = names.get(line.productId) ?? say('productNumber', { id: line.productId });
    count.textContent = say('times', { count: line.quantity });
    count.className = 'count';
    amount.textContent = won(line.amount);
    amount.className = 'amount';
    item.append(name, count, amount);
    return item;
  }));
}

/** Draws the payment's facts; called again when the language changes. */
function drawPayment() {
  if (payment === null) return;
  const account = payment.virtualAccount ?? {};
  // After a failure the sum would read as if it had been charged.
  at('amount').hidden = at('result').dataset.look === 'fail';
  at('amount').textContent = won(payment.totalAmount ?? payment.amount);
  drawLines();
  at('facts').hidden = false;
  at('facts').replaceChildren(
    ...fact('orderId', payment.orderId, 'order-id'),
    ...fact('orderName', payment.orderName),
    ...fact('method', payment.method && methodName(payment.method), 'method'),
    ...fact('approvedAt', payment.approvedAt && koreanTime(payment.approvedAt), 'approved-at'),
    ...fact('bank', account.bankCode),
    ...fact('account', account.accountNumber),
    ...fact('holder', account.customerName),
    ...fact('dueDate', account.dueDate && koreanTime(account.dueDate)),
  );
  if (payment.status === 'PARTIAL_CANCELED') {
    delete at('result-lead').dataset.text;
    at('result-lead').textContent = say('partialLead', { balance: won(payment.balanceAmount) });
  }
  const receipt = at('receipt-link');
  receipt.hidden = !/^https?:\/\//.test(payment.receiptUrl ?? '');
  if (!receipt.hidden) receipt.href = payment.receiptUrl;
}

/** Shows a payment if its status is decided; false while it is not. */
function showIfDecided(found) {
  const outcome = outcomes[found.status];
  if (outcome === undefined) return false;
  payment = { ...payment, ...found };
  const good = found.status === 'DONE' || found.status === 'PARTIAL_CANCELED';
  const calm = found.status === 'WAITING_FOR_DEPOSIT' || found.status === 'QUARANTINED';
  show(found.status, good ? 'done' : calm ? 'calm' : 'fail', outcome);
  alertWith(found.status === 'FAILED' ? found.failure?.message : null);
  if (good || found.status === 'WAITING_FOR_DEPOSIT') orderSettled(order.orderId);
  drawPayment();
  return true;
}

const readPayment = () => call(`/api/v1/payments/${encodeURIComponent(order.orderId)}`);

/** Adds what the confirm's answer does not carry: order lines and product names. */
async function fillIn() {
  const [found, products] = await Promise.allSettled([readPayment(), readProducts()]);
  if (products.status === 'fulfilled') {
    names = new Map(products.value.map((product) => [product.productId, product.name]));
  }
  // The receipt stands without them.
  if (found.status === 'fulfilled') showIfDecided(found.value);
  else drawPayment();
}

function showRefusal(refusal) {
  // A declined or unfillable order is FAILED by contract; other refusals left the order as it was.
  const failed = refusal.code === 'E03010' || refusal.code === 'E03013';
  show(failed ? 'FAILED' : 'ERROR', 'fail', failed ? 'failed' : 'error');
  at('result').dataset.code = refusal.code;
  const reason = refusal.details.gatewayMessage;
  const told = !reason || refusal.message.includes(reason);
  alertWith(told ? refusal.message : `${refusal.message} (${reason})`);
  payment = { orderId: order.orderId, totalAmount: order.amount };
  drawPayment();
}

/**
 * Confirms once. Answers true when the page shows the end of it, false when the outcome is not
 * known yet: still running, no certain answer, too busy, or no answer at all.
 */
async function confirm() {
  try {
    const answer = await call('/api/v1/payments/confirm', {
      body: { userId: USER_ID, ...order },
      timeoutMs: CONFIRM_TIMEOUT_MS,
    });
    return showIfDecided(answer);
  } catch (error) {
    if (!(error instanceof Refusal) || error.retryable || error.status >= 500 && error.code !== 'E03019') {
      return false;
    }
    // The order went another way meanwhile (canceled, expired): show that instead of an error.
    if (error.code === 'E03002') {
      const found = await readPayment().catch(() => null);
      if (found !== null && showIfDecided(found)) return true;
    }
    showRefusal(error);
    return true;
  }
}

/** Looks at the payment until it is decided, a bounded number of times. */
async function poll() {
  show('UNKNOWN', 'wait', 'confirming', 'pollingLead');
  let confirms = 1;
  for (let look = 1; look <= LOOKS_MAX; look += 1) {
    await pause(Math.min(look * 1_000, LOOK_DELAY_MS_MAX));
    const found = await readPayment().catch((error) => error);
    if (found instanceof Refusal && found.status === 404) {
      showRefusal(found);
      return true;
    }
    if (found instanceof Error) continue;
    if (showIfDecided(found)) return true;
    // Ready again means that nothing was charged: the same confirm may be repeated.
    at('result').dataset.status = found.status;
    if (found.status !== 'READY' || confirms >= CONFIRMS_MAX) continue;
    confirms += 1;
    if (await confirm()) return true;
  }
  return false;
}

async function settle() {
  alertWith(null);
  show('CONFIRMING', 'wait', 'confirming');
  if (await confirm() || await poll()) {
    // A refusal stays as it was told; a payment gets its lines and names.
    if (at('result').dataset.code === undefined) await fillIn();
    return;
  }
  show(at('result').dataset.status, 'calm', 'still');
  at('again').hidden = false;
}

function startSuccess() {
  startPage(drawPayment);
  const complete = order.orderId && order.paymentKey && Number.isSafeInteger(order.amount) && order.amount > 0;
  if (!complete) {
    show('ERROR', 'fail', 'missing');
    return;
  }
  at('again').addEventListener('click', settle);
  settle();
}

// ---- failure ---------------------------------------------------------------------------------

function startFail() {
  const code = (query.get('code') ?? '').slice(0, FOREIGN_TEXT_MAX);
  const message = (query.get('message') ?? '').slice(0, FOREIGN_TEXT_MAX);
  const orderId = (query.get('orderId') ?? '').slice(0, FOREIGN_TEXT_MAX);
  at('fail-code').textContent = code || '-';
  at('fail-order').textContent = orderId;
  at('fail-order-row').hidden = !orderId;
  if (code === 'PAY_PROCESS_CANCELED' || code === 'USER_CANCEL') at('fail-title').dataset.text = 'failCanceledTitle';
  startPage(() => { at('fail-message').textContent = message || say('failUnknown'); });
}

if (document.body.dataset.page === 'success') startSuccess();
else startFail();
