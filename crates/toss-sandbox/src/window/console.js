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
    abortCancel: ["취소 거절", "Refuse the cancel"],
    end: ["끝내기", "End"],
    endAll: ["모두 끝내기", "End all"],
    inject: ["장애 넣기", "Inject"],
    none: ["없음", "none"],
    kind: ["장애 종류", "Kind of fault"],
    object: ["Payment 객체", "Payment object"],
    bodies: ["요청과 응답", "Request and answer"],
    request: ["요청", "Request"],
    answer: ["응답", "Answer"],
    replayed: ["멱등키로 다시 보낸 응답", "Answer replayed for its idempotency key"],
    withheld: ["(아직 응답하지 않음)", "(not answered, or not yet)"],
    empty: ["(본문 없음)", "(no body)"],
    cut: ["… (잘림)", "… (cut)"],
    heldBack: ["지연", "Held back"],
    forgotten: ["더 이상 보관하지 않습니다.", "No longer kept."],
    minutes10: ["10분 뒤로", "+10 minutes"],
    hour: ["1시간 뒤로", "+1 hour"],
    day: ["1일 뒤로", "+1 day"],
    send: ["웹훅 주소 저장", "Send webhooks to"],
  };

  /* What can go wrong: Korean, English, the rule to start from. */
  var kinds = [
    ["승인 후 연결 끊김", "Approve, then reset", { effect: { type: "approveThenReset" }, target: { endpoint: "confirm" }, times: 1 }],
    ["승인 후 무응답", "Approve, then hang", { effect: { type: "approveThenSilence" }, target: { endpoint: "confirm" }, times: 1 }],
    ["승인 후 500", "Approve, then 500", { effect: { type: "approveThenError", code: "FAILED_INTERNAL_SYSTEM_PROCESSING" }, target: { endpoint: "confirm" }, times: 1 }],
    ["승인 후 HTML 502", "Approve, then HTML 502", { effect: { type: "html502", executed: true }, times: 1 }],
    ["HTML 502", "HTML 502", { effect: { type: "html502", executed: false }, times: 1 }],
    ["응답 금액 다름", "Wrong amount in the answer", { effect: { type: "wrongAmount" }, times: 1 }],
    ["본문 절반", "Half a body", { effect: { type: "halfBody" }, times: 1 }],
    ["느린 본문", "Slow body", { effect: { type: "slowBody", overMs: 5000 }, times: 1 }],
    ["고정 지연", "Fixed latency", { effect: { type: "delay", minMs: 1000, maxMs: 1000 } }],
    ["범위 지연", "Latency in a range", { effect: { type: "delay", minMs: 100, maxMs: 900 } }],
    ["긴 꼬리 지연", "Heavy-tailed latency", { effect: { type: "heavyTailedDelay", minMs: 20, maxMs: 60000 } }],
    ["오류 코드", "An error code", { effect: { type: "error", code: "PROVIDER_ERROR" }, chancePercent: 50 }],
    ["409 처리 중", "409 while running", { effect: { type: "error", code: "IDEMPOTENT_REQUEST_PROCESSING" }, times: 1 }],
    ["요청 한도", "Rate limit", { effect: { type: "rateLimit", perMinute: 100 } }],
    ["매시간 1분 중단", "Outage of a minute in every hour", { effect: { type: "resetWithoutApproval" }, forMs: 60000, everyMs: 3600000 }],
    ["무응답 중단", "Outage in silence", { effect: { type: "silenceWithoutApproval" }, forMs: 60000 }],
    ["웹훅 유실", "Lost webhook", { effect: { type: "loseWebhook" }, times: 1 }],
    ["웹훅 중복", "Doubled webhook", { effect: { type: "repeatWebhook", copies: 1 }, times: 1 }],
    ["웹훅 지연·순서 바뀜", "Late webhooks, out of order", { effect: { type: "delayWebhook", minMs: 0, maxMs: 9000 } }],
  ];

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

  /* Rows that have not changed keep their elements: what is open stays open, what has the focus
     keeps it. */
  function fill(id, rows, name, draw) {
    var box = document.getElementById(id);
    var known = {};
    Array.prototype.forEach.call(box.children, function (item) {
      known[item.dataset.name] = item;
    });
    var items = rows.map(function (row) {
      var drawn = JSON.stringify(row);
      var before = known[name(row)];
      if (before && before.drawn === drawn) {
        return before;
      }
      var item = make("li", null, { "data-name": name(row) });
      item.drawn = drawn;
      draw(row, item, Boolean(before && before.querySelector("details[open]")));
      return item;
    });
    if (items.length === 0) {
      items.push(known[""] || make("li", say("none"), { "data-name": "" }));
    }
    items.forEach(function (item, at) {
      if (box.children[at] !== item) {
        box.insertBefore(item, box.children[at] || null);
      }
    });
    while (box.children.length > items.length) {
      box.removeChild(box.lastChild);
    }
  }

  /* What is shown on demand: `load` is asked when it is opened. */
  function details(key, open, load) {
    var made = make("details");
    made.appendChild(make("summary", say(key)));
    var content = make("div");
    made.appendChild(content);
    made.addEventListener("toggle", function () {
      if (made.open) {
        load(content);
      }
    });
    made.open = open;
    return made;
  }

  function pretty(text) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch (error) {
      return text;
    }
  }

  function showExchange(number, content) {
    call("GET", "/calls/" + number).then(function (exchange) {
      content.textContent = "";
      if (!exchange) {
        content.appendChild(make("p", say("forgotten")));
        return;
      }
      content.appendChild(make("code", exchange.method + " " + exchange.path));
      content.appendChild(make("h3", say("request")));
      content.appendChild(make("pre", (pretty(exchange.request) || say("empty")) + (exchange.requestCut ? say("cut") : ""), { class: "request" }));
      content.appendChild(make("h3", say(exchange.replayed ? "replayed" : "answer")));
      var answer = exchange.answer === null ? say("withheld") : pretty(exchange.answer) || say("empty");
      content.appendChild(make("pre", answer + (exchange.answerCut ? say("cut") : ""), { class: "answer" }));
      if (exchange.delayMs) {
        content.appendChild(make("code", say("heldBack") + " " + exchange.delayMs + " ms"));
      }
      if (exchange.fault) {
        content.appendChild(make("code", JSON.stringify(exchange.fault)));
      }
      if (exchange.traceId) {
        content.appendChild(make("code", exchange.traceId));
      }
    });
  }

  function drawPayment(payment, item, open) {
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
    if ((payment.cancels || []).some(function (cancel) { return cancel.cancelStatus === "IN_PROGRESS"; })) {
      item.appendChild(button("abortCancel", null, call.bind(null, "POST", path + "/abort-cancel")));
    }
    item.appendChild(
      details("object", open, function (content) {
        content.textContent = "";
        var shown = Object.assign({}, payment, { secret: payment.secret ? "***" : payment.secret });
        content.appendChild(make("pre", JSON.stringify(shown, null, 2)));
      })
    );
  }

  function drawCall(row, item, open) {
    item.appendChild(make("b", row.method + " " + row.endpoint + " → " + (row.status || "…") + (row.code ? " " + row.code : "")));
    item.appendChild(make("span", row.at.slice(11, 19) + " · " + (row.orderId || row.paymentKey || "-")));
    if (row.idempotencyKey) {
      item.appendChild(make("code", row.idempotencyKey));
    }
    item.appendChild(details("bodies", open, showExchange.bind(null, row.number)));
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

  function named(field) {
    return function (row) {
      return String(row[field]);
    };
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
      fill("payments", answers[0].rows, named("paymentKey"), drawPayment);
      fill("calls", answers[1].rows.reverse(), named("number"), drawCall);
      fill("faults", answers[2].rows, named("id"), drawFault);
      fill("webhooks", answers[3].rows, named("id"), drawWebhook);
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
  var rule = make("textarea", JSON.stringify(kinds[0][2]), { id: "rule", rows: 4, "aria-label": say("inject") });
  var kind = make("select", null, { id: "kind", "aria-label": say("kind") });
  kinds.forEach(function (row, at) {
    kind.appendChild(make("option", row[english ? 1 : 0], { value: at }));
  });
  kind.addEventListener("change", function () {
    rule.value = JSON.stringify(kinds[kind.value][2]);
  });
  main.appendChild(section("payments"));
  main.appendChild(section("clock", [button("minutes10", "minutes10", advance(600)), button("hour", "hour", advance(3600)), button("day", "day", advance(86400))]));
  main.appendChild(
    section("faults", [
      kind,
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
  /* Once a second, but never before the answers to the last questions are there. */
  function live() {
    refresh().then(function () {
      setTimeout(live, 1000);
    });
  }
  live();
})();
