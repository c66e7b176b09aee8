// The catalogue: products, cart and the way into the payment window.

import {
  NoAnswer, Refusal, USER_ID, alertWith, call, newKey, readCart, readProducts, say, startPage, won,
  writeCart, writePending,
} from './page.js';

/** The server takes 1–999 of a product and 1–100 lines. */
const QUANTITY_MAX = 999;
const LINES_MAX = 100;
const STOCK_FEW = 5;

const at = (id) => document.getElementById(id);

let products = [];
let cart = readCart();
let paying = false;
/** The request whose answer was never heard, with its key: repeated, it is the same order. */
let unanswered = null;
const cards = new Map();
const rows = new Map();

const limitOf = (product) => Math.max(0, Math.min(product.stock, QUANTITY_MAX));
const lineProducts = () => products.filter((product) => cart.has(product.productId));
const totalOf = () => lineProducts()
  .reduce((sum, product) => sum + product.price * cart.get(product.productId), 0);

function setQuantity(product, quantity) {
  const bounded = Math.min(quantity, limitOf(product));
  if (!cart.has(product.productId) && cart.size >= LINES_MAX) return;
  if (bounded > 0) cart.set(product.productId, bounded);
  else cart.delete(product.productId);
  writeCart(cart);
  alertWith(null);
  render();
  at('spoken').textContent = say('added', { name: product.name, count: Math.max(bounded, 0) });
}

function clone(templateId) {
  return at(templateId).content.firstElementChild.cloneNode(true);
}

function pictureOf(productId) {
  return clone(at(`picture-${productId}`) ? `picture-${productId}` : 'picture-other');
}

// ---- drawing: elements are made once per product and updated, so that focus stays ------------

function cardOf(product) {
  const known = cards.get(product.productId);
  if (known) return known;
  const card = clone('product-template');
  card.id = `product-${product.productId}`;
  card.querySelector('.picture').append(pictureOf(product.productId));
  card.querySelector('.add').addEventListener('click', () => {
    const current = products.find((other) => other.productId === product.productId);
    setQuantity(current, (cart.get(product.productId) ?? 0) + 1);
  });
  cards.set(product.productId, card);
  return card;
}

function drawCard(product) {
  const card = cardOf(product);
  const quantity = cart.get(product.productId) ?? 0;
  const sellable = limitOf(product);
  card.classList.toggle('sold-out', sellable === 0);
  card.querySelector('.name').textContent = product.name;
  card.querySelector('.description').textContent = product.description ?? '';
  card.querySelector('.price').textContent = won(product.price);
  const stock = card.querySelector('.stock');
  const stockText = sellable === 0 ? 'stockNone' : product.stock <= STOCK_FEW ? 'stockFew' : 'stockLeft';
  stock.textContent = say(stockText, { count: product.stock });
  stock.classList.toggle('few', product.stock <= STOCK_FEW);
  const add = card.querySelector('.add');
  add.disabled = paying || quantity >= sellable;
  add.textContent = sellable === 0 ? say('stockNone') : quantity >= sellable ? say('allInCart') : say('add');
  add.setAttribute('aria-label', add.disabled ? `${product.name}: ${add.textContent}` : say('addNamed', product));
}

function rowOf(product) {
  const known = rows.get(product.productId);
  if (known) return known;
  const row = clone('line-template');
  row.id = `line-${product.productId}`;
  row.querySelector('.thumb').append(pictureOf(product.productId));
  const change = (step) => {
    const current = products.find((other) => other.productId === product.productId);
    setQuantity(current, (cart.get(product.productId) ?? 0) + step);
  };
  row.querySelector('.less').addEventListener('click', () => change(-1));
  row.querySelector('.more').addEventListener('click', () => change(1));
  row.querySelector('.remove').addEventListener('click', () => {
    change(-QUANTITY_MAX);
    // The button that had the focus is gone with its line.
    at('cart-title').focus();
  });
  rows.set(product.productId, row);
  return row;
}

function drawRow(product) {
  const row = rowOf(product);
  const quantity = cart.get(product.productId);
  const { name } = product;
  row.querySelector('.name').textContent = name;
  row.querySelector('.amount').textContent = won(product.price * quantity);
  row.querySelector('.quantity').textContent = String(quantity);
  row.querySelector('.stepper').setAttribute('aria-label', say('quantityOf', { name }));
  const less = row.querySelector('.less');
  less.disabled = paying || quantity <= 1;
  less.setAttribute('aria-label', say('less', { name }));
  const more = row.querySelector('.more');
  more.disabled = paying || quantity >= limitOf(product);
  more.setAttribute('aria-label', say('more', { name }));
  const remove = row.querySelector('.remove');
  remove.disabled = paying;
  remove.setAttribute('aria-label', say('remove', { name }));
}

/** Puts exactly these elements into the list, moving only what is out of place. */
function arrange(list, elements) {
  elements.forEach((element, index) => {
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
  while (list.children.length > elements.length) list.lastElementChild.remove();
}

function render() {
  if (products.length > 0) {
    arrange(at('products'), products.map(cardOf));
    products.forEach(drawCard);
  }
  const chosen = lineProducts();
  chosen.forEach(drawRow);
  arrange(at('lines'), chosen.map(rowOf));
  const count = chosen.reduce((sum, product) => sum + cart.get(product.productId), 0);
  const total = totalOf();
  at('cart-count').textContent = String(count);
  at('cart-empty').hidden = count > 0;
  at('total').textContent = won(total);
  at('total').dataset.amount = String(total);
  const pay = at('pay');
  pay.disabled = paying || count === 0;
  pay.textContent = paying ? say('paying') : say('pay');
  document.body.classList.toggle('has-cart', count > 0);
}

// ---- loading ---------------------------------------------------------------------------------

/** Drops what is no longer sold and cuts quantities to the stock; true if the cart changed. */
function fitCartToStock() {
  let changed = false;
  const fitted = new Map();
  for (const [productId, quantity] of cart) {
    const product = products.find((other) => other.productId === productId);
    const bounded = product ? Math.min(quantity, limitOf(product)) : 0;
    if (bounded > 0) fitted.set(productId, bounded);
    changed ||= bounded !== quantity;
  }
  cart = fitted;
  if (changed) writeCart(cart);
  return changed;
}

async function load() {
  at('reload').hidden = true;
  try {
    products = await readProducts();
  } catch (error) {
    at('reload').hidden = false;
    at('products').replaceChildren();
    alertWith(error instanceof Refusal ? error.message : say('productsUnread'));
    return;
  } finally {
    at('products').setAttribute('aria-busy', 'false');
  }
  at('no-products').hidden = products.length > 0;
  if (products.length === 0) at('products').replaceChildren();
  if (fitCartToStock()) alertWith(say('cartTrimmed'));
  render();
}

/** Reads prices and stock again after a refusal, keeping the message that explains it. */
async function refresh(message) {
  try {
    products = await readProducts();
    const trimmed = fitCartToStock();
    alertWith(trimmed ? `${message} ${say('cartTrimmed')}` : message);
  } catch {
    alertWith(message);
  }
}

// ---- paying ----------------------------------------------------------------------------------

/** Checks the cart out. Silence is repeated under the same key, so it cannot make two orders. */
async function checkOut() {
  const body = {
    userId: USER_ID,
    orderedProductList: lineProducts()
      .map(({ productId }) => ({ productId, quantity: cart.get(productId) })),
  };
  const text = JSON.stringify(body);
  const key = unanswered?.text === text ? unanswered.key : newKey();
  unanswered = { text, key };
  try {
    const order = await call('/api/v1/payments/checkout', { body, headers: { 'Idempotency-Key': key } });
    unanswered = null;
    return order;
  } catch (error) {
    if (error instanceof Refusal && !error.retryable) unanswered = null;
    throw error;
  }
}

async function openWindow(order) {
  writePending(order);
  const payment = globalThis.TossPayments(document.body.dataset.clientKey)
    .payment({ customerKey: order.customerKey });
  await payment.requestPayment({
    method: 'CARD',
    amount: { currency: 'KRW', value: order.totalAmount },
    orderId: order.orderId,
    orderName: order.orderName,
    successUrl: `${location.origin}/shop/success`,
    failUrl: `${location.origin}/shop/fail`,
  });
}

async function pay() {
  if (paying || cart.size === 0) return;
  alertWith(null);
  if (typeof globalThis.TossPayments !== 'function') {
    alertWith(say('windowMissing'));
    return;
  }
  paying = true;
  render();
  const shown = totalOf();
  try {
    const order = await checkOut();
    if (order.totalAmount !== shown) await refresh(say('priceChanged'));
    else await openWindow(order);
  } catch (error) {
    if (error instanceof Refusal) await refresh(error.message);
    else if (error instanceof NoAnswer) alertWith(say('unreachable'));
    else alertWith(error?.message || say('windowFailed'));
  }
  // The browser is on its way to the payment window, or the buyer may try again.
  paying = false;
  render();
}

at('pay').addEventListener('click', pay);
at('reload').addEventListener('click', load);
// Coming back from the payment window by the back button shows a frozen page: read it all again.
addEventListener('pageshow', (event) => {
  if (!event.persisted) return;
  paying = false;
  cart = readCart();
  load();
});
// Another tab of the same shop changed the cart.
addEventListener('storage', () => {
  cart = readCart();
  render();
});

startPage(render);
load();
