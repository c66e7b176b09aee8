/* The sandbox's console: what the bank knows, and buttons for what a tester does to it. */
(function () {
  "use strict";

  var english = new URLSearchParams(location.search).get("lang")
    ? new URLSearchParams(location.search).get("lang") === "en"
    : !/^ko/i.test(navigator.language);
  var words = {
    title: ["토스 샌드박스 콘솔", "Toss sandbox console"],
    payments: ["결제", "Payments"],
    calls: ["API 요청", "API calls"],
    faults: ["장애", "Faults"],
    webhooks: ["웹훅", "Webhooks"],
    clock: ["시계", "Clock"],
    deposit: ["입금", "Deposit"],
    depositError: ["입금 오류", "Deposit error"],
    expire: ["만료", "Expire"],
    end: ["끝내기", "End"],
    endAll: ["모두 끝내기", "End all"],
    inject: ["장애 넣기", "Inject"],
    none: ["없음", "none"],
    minutes10: ["10분 뒤로", "+10 minutes"],
    hour: ["1시간 뒤로", "+1 hour"],
    day: ["1일 뒤로", "+1 day"],
    send: ["웹훅 주소 저장", "Send webhooks to"],
  };

  function say(key) {
    return words[key][english ? 1 : 0];
  }

  function make(tag, text, attributes) {
    var made = document.createElement(tag);
    if (text !== undefined && text !== null) {
      made.textContent = String(text);
    }
    Object.keys(attributes || {}).forEach(function (name) {
      made.setAttribute(name, attributes[name]);
    });
    return made;
  }

  function call(method, path, body) {
    return fetch("/sandbox" + path, {
      method: method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
      .then(function (response) {
        return response.text().then(function (text) {
          if (!response.ok) {
            throw new Error(text);
          }
          return text ? JSON.parse(text) : null;
        });
      })
      .then(
        function (answer) {
          note("");
          return answer;
        },
        function (error) {
          note(error.message);
        }
      );
  }

  function note(text) {
    document.getElementById("note").textContent = text;
  }

  function button(key, id, act) {
    var made = make("button", say(key), { type: "button", class: "small" });
    if (id) {
      made.id = id;
    }
    made.addEventListener("click", function () {
      act().then(refresh);
    });
    return made;
  }

  function fill(id, rows, draw) {
    var box = document.getElementById(id);
    box.textContent = "";
    if (!rows || rows.length === 0) {
      box.appendChild(make("li", say("none")));
      return;
    }
    rows.forEach(function (row) {
      var item = make("li");
      draw(row, item);
      box.appendChild(item);
    });
  }

  function drawPayment(payment, item) {
    item.appendChild(make("b", payment.orderId + " · " + payment.status));
    item.appendChild(make("span", payment.totalAmount.toLocaleString() + " → " + payment.balanceAmount.toLocaleString() + " " + payment.currency + " · " + (payment.method || "-")));
    item.appendChild(make("code", payment.paymentKey));
    var path = "/payments/" + encodeURIComponent(payment.paymentKey);
    var account = payment.virtualAccount;
    if (payment.status === "WAITING_FOR_DEPOSIT" && !account.expired) {
      item.appendChild(button("deposit", null, call.bind(null, "POST", path + "/deposit")));
    }
    if (payment.status === "DONE" && account) {
      item.appendChild(button("depositError", null, call.bind(null, "POST", path + "/deposit-error")));
    }
    if (["READY", "IN_PROGRESS", "WAITING_FOR_DEPOSIT"].indexOf(payment.status) >= 0 && !(account && account.expired)) {
      item.appendChild(button("expire", null, call.bind(null, "POST", path + "/expire")));
    }
  }

  function drawCall(row, item) {
    item.appendChild(make("b", row.method + " " + row.endpoint + " → " + (row.status || "…") + (row.code ? " " + row.code : "")));
    item.appendChild(make("span", row.at.slice(11, 19) + " · " + (row.orderId || row.paymentKey || "-")));
    if (row.idempotencyKey) {
      item.appendChild(make("code", row.idempotencyKey));
    }
  }

  function drawFault(row, item) {
    item.appendChild(make("b", row.effect.type + " × " + row.hits));
    var rule = Object.assign({}, row);
    ["id", "hits", "since"].forEach(function (name) {
      delete rule[name];
    });
    item.appendChild(make("code", JSON.stringify(rule)));
    item.appendChild(button("end", null, call.bind(null, "DELETE", "/faults/" + row.id)));
  }

  function drawWebhook(row, item) {
    item.appendChild(make("b", row.event + " · " + row.state + (row.status ? " " + row.status : "")));
    item.appendChild(make("span", (row.orderId || "-") + " · " + row.retried + "×"));
    item.appendChild(make("code", row.id));
  }

  function refresh() {
    return Promise.all([
      call("GET", "/payments?limit=20"),
      call("GET", "/calls?limit=30"),
      call("GET", "/faults"),
      call("GET", "/webhooks?limit=20"),
    ]).then(function (answers) {
      if (answers.some(function (answer) { return !answer; })) {
        return;
      }
      fill("payments", answers[0].rows, drawPayment);
      fill("calls", answers[1].rows.reverse(), drawCall);
      fill("faults", answers[2].rows, drawFault);
      fill("webhooks", answers[3].rows, drawWebhook);
    });
  }

  function section(id, extra) {
    var box = make("section");
    box.appendChild(make("h2", say(id)));
    (extra || []).forEach(function (part) {
      box.appendChild(part);
    });
    if (id !== "clock") {
      box.appendChild(make("ul", null, { id: id }));
    }
    return box;
  }

  function advance(seconds) {
    return call.bind(null, "POST", "/clock", { advanceSeconds: seconds });
  }

  document.documentElement.lang = english ? "en" : "ko";
  document.title = say("title");
  var main = document.querySelector("main");
  main.appendChild(make("h1", say("title")));
  main.appendChild(make("p", "", { id: "note", role: "status" }));
  var url = make("input", null, { class: "field", id: "url", placeholder: "http://127.0.0.1:8080/…", "aria-label": say("send") });
  var rule = make("textarea", '{"effect":{"type":"approveThenReset"},"target":{"endpoint":"confirm"},"times":1}', { id: "rule", rows: 4, "aria-label": say("inject") });
  main.appendChild(section("payments"));
  main.appendChild(section("clock", [button("minutes10", "minutes10", advance(600)), button("hour", "hour", advance(3600)), button("day", "day", advance(86400))]));
  main.appendChild(
    section("faults", [
      rule,
      button("inject", "inject", function () {
        var read;
        try {
          read = JSON.parse(rule.value);
        } catch (error) {
          note(error.message);
          return Promise.resolve();
        }
        return call("POST", "/faults", read);
      }),
      button("endAll", "end-all", call.bind(null, "DELETE", "/faults")),
    ])
  );
  main.appendChild(
    section("webhooks", [
      url,
      button("send", "send", function () {
        return call("PUT", "/webhooks", { url: url.value || null });
      }),
    ])
  );
  main.appendChild(section("calls"));
  refresh();
  setInterval(refresh, 2000);
})();
