/* The sandbox's stand-in for Toss Payments' browser SDK v2: same calls, same shapes. */
(function () {
  "use strict";

  // The sandbox is where this script came from, so it works from any page's origin.
  var script = document.currentScript;
  var base = script ? script.src.replace(/\/v2\/standard.*$/, "") : "";

  function failure(code, message) {
    var error = new Error(message);
    error.code = code;
    return error;
  }

  function notSupported(what) {
    return function () {
      return Promise.reject(
        failure("NOT_SUPPORTED", "The sandbox does not offer " + what + ". 샌드박스가 지원하지 않습니다.")
      );
    };
  }

  function readJson(response) {
    return response.json().then(function (answer) {
      if (!response.ok) {
        throw failure(answer.code, answer.message);
      }
      return answer;
    });
  }

  function openWindow(clientKey, request) {
    return fetch(base + "/sandbox/windows", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "omit",
      body: JSON.stringify(Object.assign({}, request, { clientKey: clientKey })),
    }).then(readJson);
  }

  // The window lies over the page until the buyer is done; the Promise then knows the result.
  function waitFor(opened, withType) {
    var frame = document.createElement("iframe");
    frame.src = base + opened.path;
    frame.title = "Toss Payments sandbox";
    frame.id = "toss-sandbox-window";
    frame.style.cssText = "position:fixed;inset:0;width:100%;height:100%;border:0;background:#fff;z-index:2147483647";
    document.body.appendChild(frame);
    return new Promise(function (resolve, reject) {
      (function ask() {
        fetch(base + "/sandbox/windows/" + opened.windowId, { credentials: "omit" })
          .then(readJson)
          .then(function (outcome) {
            if (outcome.state === "open") {
              setTimeout(ask, 300);
              return;
            }
            frame.remove();
            if (outcome.state === "paid") {
              var paid = { paymentKey: outcome.paymentKey, orderId: outcome.orderId, amount: outcome.amount };
              resolve(withType ? Object.assign({ paymentType: outcome.paymentType }, paid) : paid);
            } else {
              reject(failure(outcome.code, outcome.message || outcome.code));
            }
          })
          .catch(function (error) {
            frame.remove();
            reject(error);
          });
      })();
    });
  }

  function request(clientKey, options, withType) {
    if (Boolean(options.successUrl) !== Boolean(options.failUrl)) {
      return Promise.reject(
        failure("INVALID_PARAMETERS", "successUrl and failUrl go together. successUrl과 failUrl은 함께 필요합니다.")
      );
    }
    return openWindow(clientKey, options).then(function (opened) {
      if (!options.successUrl) {
        return waitFor(opened, withType);
      }
      window.location.assign(opened.redirect || base + opened.path);
      // The page is left: as with Toss, nothing is resolved.
      return new Promise(function () {});
    });
  }

  function payment(clientKey, customerKey) {
    return {
      requestPayment: function (options) {
        return request(clientKey, Object.assign({ customerKey: customerKey }, options), false);
      },
      requestBillingAuth: function (options) {
        if (!options || !options.successUrl || !options.failUrl) {
          return Promise.reject(failure("INVALID_PARAMETERS", "successUrl and failUrl are required."));
        }
        var billing = { customerKey: customerKey, product: "billing" };
        return request(clientKey, Object.assign({}, options, billing), false);
      },
      destroy: function () {
        return Promise.resolve();
      },
    };
  }

  var METHODS = [
    ["CARD", "카드 · Card"],
    ["VIRTUAL_ACCOUNT", "가상계좌 · Virtual account"],
    ["TRANSFER", "계좌이체 · Transfer"],
    ["MOBILE_PHONE", "휴대폰 · Mobile phone"],
    ["CULTURE_GIFT_CERTIFICATE", "문화상품권 · Gift certificate"],
  ];
  // What other currencies can be paid with; yen have cards alone.
  var METHODS_ABROAD = [METHODS[0], ["FOREIGN_EASY_PAY", "해외간편결제 · Foreign easy pay"]];

  function methodsIn(currency) {
    return currency === "KRW" ? METHODS : METHODS_ABROAD.slice(0, currency === "USD" ? 2 : 1);
  }

  function listeners() {
    var heard = {};
    return {
      on: function (event, callback) {
        (heard[event] = heard[event] || []).push(callback);
      },
      tell: function (event, value) {
        (heard[event] || []).forEach(function (callback) {
          callback(value);
        });
      },
    };
  }

  function element(selector) {
    var found = document.querySelector(selector);
    if (!found) {
      throw failure("INVALID_SELECTOR", "There is no element " + selector + ".");
    }
    return found;
  }

  function labelled(input, text) {
    var label = document.createElement("label");
    label.style.cssText = "display:block;padding:12px 4px;font:16px sans-serif";
    label.appendChild(input);
    label.appendChild(document.createTextNode(" " + text));
    return label;
  }

  function widgets(clientKey, customerKey) {
    var amount = null;
    var selected = null;
    var rendered = false;

    function renderPaymentMethods(options) {
      var ears = listeners();
      var box = element(options.selector);
      if (!amount) {
        throw failure("AMOUNT_IS_NOT_SET", "Call setAmount first. setAmount를 먼저 호출해 주세요.");
      }
      box.textContent = "";
      var methods = methodsIn(amount.currency);
      methods.forEach(function (method, index) {
        var input = document.createElement("input");
        input.type = "radio";
        input.name = "toss-sandbox-method";
        input.value = method[0];
        input.checked = index === 0;
        input.addEventListener("change", function () {
          selected = method[0];
          ears.tell("paymentMethodSelect", { code: selected });
        });
        box.appendChild(labelled(input, method[1]));
      });
      selected = methods[0][0];
      rendered = true;
      return {
        on: ears.on,
        getSelectedPaymentMethod: function () {
          return Promise.resolve({ code: selected });
        },
        destroy: function () {
          box.textContent = "";
          rendered = false;
          return Promise.resolve();
        },
      };
    }

    function renderAgreement(options) {
      var ears = listeners();
      var box = element(options.selector);
      var input = document.createElement("input");
      input.type = "checkbox";
      input.checked = true;
      input.addEventListener("change", function () {
        ears.tell("agreementStatusChange", {
          agreedRequiredTerms: input.checked,
          agreements: [{ term: { id: "1", required: true }, agreed: input.checked }],
        });
      });
      box.textContent = "";
      box.appendChild(labelled(input, "결제 서비스 이용 약관 동의 · I agree to the terms"));
      return {
        on: ears.on,
        destroy: function () {
          box.textContent = "";
          return Promise.resolve();
        },
      };
    }

    // What fails on the way is a rejected Promise, as in Toss's script.
    function promised(action) {
      return function (options) {
        return Promise.resolve(options || {}).then(action);
      };
    }

    return {
      setAmount: promised(function (value) {
        amount = { currency: value.currency, value: value.value };
      }),
      renderPaymentMethods: promised(renderPaymentMethods),
      renderAgreement: promised(renderAgreement),
      requestPayment: promised(function (options) {
        if (!rendered) {
          throw failure("PAYMENT_METHODS_NOT_RENDERED", "Call renderPaymentMethods first.");
        }
        var own = { product: "widgets", customerKey: customerKey, amount: amount, method: selected };
        return request(clientKey, Object.assign({}, options, own), true);
      }),
      // The widget in a window of its own; here that window offers cards and wallets.
      requestPaymentWindow: promised(function (options) {
        var sum = options.amount || amount;
        if (!sum) {
          throw failure("AMOUNT_IS_NOT_SET", "An amount is required. 결제 금액이 필요합니다.");
        }
        var own = { product: "widgets", customerKey: customerKey, amount: sum, method: "CARD" };
        return request(clientKey, Object.assign({}, options, own), true);
      }),
      renderPaymentWindow: notSupported("renderPaymentWindow"),
    };
  }

  function brandpay(clientKey, customerKey) {
    return {
      requestPayment: function (options) {
        var own = { product: "brandpay", customerKey: customerKey, method: "CARD" };
        return request(clientKey, Object.assign({}, options, own), true);
      },
      isOneTouchPayEnabled: function () {
        return Promise.resolve({ isEnabled: false });
      },
      addPaymentMethod: notSupported("addPaymentMethod"),
      changeOneTouchPay: notSupported("changeOneTouchPay"),
      changePassword: notSupported("changePassword"),
      openSettings: notSupported("openSettings"),
      requestBillingAuth: notSupported("brandpay's requestBillingAuth"),
    };
  }

  function TossPayments(clientKey) {
    if (typeof clientKey !== "string" || clientKey === "") {
      throw failure("INVALID_CLIENT_KEY", "A client key is required. 클라이언트 키가 필요합니다.");
    }
    function forCustomer(product) {
      return function (parameters) {
        var customerKey = parameters && parameters.customerKey;
        if (!customerKey) {
          throw failure("INVALID_CUSTOMER_KEY", "A customerKey is required; guests use TossPayments.ANONYMOUS.");
        }
        return product(clientKey, customerKey);
      };
    }
    return {
      payment: forCustomer(payment),
      widgets: forCustomer(widgets),
      brandpay: forCustomer(brandpay),
    };
  }

  TossPayments.ANONYMOUS = "@@ANONYMOUS";
  window.TossPayments = TossPayments;
})();
