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
        failure("NOT_SUPPORTED", "The sandbox does not offer " + what + " yet. 샌드박스가 아직 지원하지 않습니다.")
      );
    };
  }

  function openWindow(clientKey, request) {
    return fetch(base + "/sandbox/windows", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "omit",
      body: JSON.stringify(Object.assign({}, request, { clientKey: clientKey })),
    }).then(function (response) {
      return response.json().then(function (answer) {
        if (!response.ok) {
          throw failure(answer.code, answer.message);
        }
        return answer;
      });
    });
  }

  function requestPayment(clientKey, customerKey, options) {
    var request = Object.assign({ customerKey: customerKey }, options);
    if (!request.successUrl || !request.failUrl) {
      return Promise.reject(
        failure("INVALID_PARAMETERS", "successUrl and failUrl are required. successUrl과 failUrl이 필요합니다.")
      );
    }
    return openWindow(clientKey, request).then(function (opened) {
      window.location.assign(base + opened.path);
      // The page is left: as with Toss, nothing is resolved.
      return new Promise(function () {});
    });
  }

  function TossPayments(clientKey) {
    if (typeof clientKey !== "string" || clientKey === "") {
      throw failure("INVALID_CLIENT_KEY", "A client key is required. 클라이언트 키가 필요합니다.");
    }
    return {
      payment: function (parameters) {
        var customerKey = parameters && parameters.customerKey;
        if (!customerKey) {
          throw failure("INVALID_CUSTOMER_KEY", "A customerKey is required; guests use TossPayments.ANONYMOUS.");
        }
        return {
          requestPayment: function (options) {
            return requestPayment(clientKey, customerKey, options);
          },
          requestBillingAuth: notSupported("requestBillingAuth"),
          destroy: function () {
            return Promise.resolve();
          },
        };
      },
      widgets: function () {
        return {
          setAmount: notSupported("widgets"),
          renderPaymentMethods: notSupported("widgets"),
          renderAgreement: notSupported("widgets"),
          requestPayment: notSupported("widgets"),
        };
      },
      brandpay: function () {
        return { requestPayment: notSupported("brandpay") };
      },
    };
  }

  TossPayments.ANONYMOUS = "@@ANONYMOUS";
  window.TossPayments = TossPayments;
})();
