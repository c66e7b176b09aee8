//! A page that uses the browser script alone, and the console, in a real browser at phone width.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

use actix_web::{App, HttpResponse, HttpServer, web};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::Bench;

const PATIENCE: Duration = Duration::from_secs(30);

/// `chromedriver` with the browsers it started, as a process group that ends with this value.
struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    /// None where there is no browser.
    fn start() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        for program in ["chromium", "chromedriver"] {
            if !std::env::split_paths(&path).any(|place| place.join(program).is_file()) {
                let required = std::env::var_os("REQUIRE_BROWSER");
                assert!(
                    required.is_none_or(|value| value.is_empty() || value == "0"),
                    "REQUIRE_BROWSER is set, but PATH has no {program}"
                );
                let _ = writeln!(
                    std::io::stderr(),
                    "skipped: browser (PATH has no {program})"
                );
                return None;
            }
        }
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        // Made before anything below can panic, so that the child cannot be left behind.
        let mut driver = Self {
            child,
            url: String::new(),
        };
        let mut lines = BufReader::new(output).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let port = line.split("successfully on port ").nth(1)?;
            Some(port.trim_end_matches('.').parse::<u16>().unwrap())
        });
        driver.url = format!("http://127.0.0.1:{}", port.unwrap());
        Some(driver)
    }

    async fn phone(&self, files: &TempDir) -> Client {
        let profile = files.path().join("profile");
        let metrics = json!({ "width": 390, "height": 844, "pixelRatio": 2, "touch": true });
        let options = json!({
            "args": [
                "--headless=new", "--no-sandbox", "--disable-dev-shm-usage",
                "--disable-background-networking", "--no-first-run",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                format!("--user-data-dir={}", profile.display()),
            ],
            "prefs": { "intl.accept_languages": "ko-KR,ko" },
            "mobileEmulation": { "deviceMetrics": metrics },
        });
        let all = json!({ "browserName": "chrome", "goog:chromeOptions": options });
        let Value::Object(capabilities) = all else {
            unreachable!("it is an object")
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder
            .capabilities(capabilities)
            .connect(&self.url)
            .await
            .unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The whole group: a panic leaves the browser running, and only its driver knows it.
        let kill_group = format!("kill -s KILL -- -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &kill_group]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves the example's page from an origin of its own, with this sandbox's script.
fn shop(bench: &Bench) -> String {
    let page = include_str!("../../examples/page.html");
    let page = page.replace("http://127.0.0.1:8090", bench.server.base_url());
    let server = HttpServer::new(move || {
        let page = page.clone();
        App::new().default_service(web::to(move || {
            let page = page.clone();
            async { HttpResponse::Ok().content_type("text/html").body(page) }
        }))
    })
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")
    .unwrap();
    let url = format!("http://{}/", server.addrs()[0]);
    tokio::spawn(server.run());
    url
}

async fn press(page: &Client, selector: &str) {
    let button = page
        .wait()
        .at_most(PATIENCE)
        .for_element(Locator::Css(selector))
        .await
        .unwrap();
    button.click().await.unwrap();
}

async fn pay_in_frame(page: &Client) {
    let frame = Locator::Css("#toss-sandbox-window");
    let frame = page
        .wait()
        .at_most(PATIENCE)
        .for_element(frame)
        .await
        .unwrap();
    frame.enter_frame().await.unwrap();
    assert!(fits(page).await, "the window fits a phone");
    press(page, "#pay").await;
    page.enter_parent_frame().await.unwrap();
}

async fn fits(page: &Client) -> bool {
    let script = "return document.documentElement.scrollWidth <= window.innerWidth";
    page.execute(script, Vec::new()).await.unwrap() == json!(true)
}

/// What the page shows once it has something with this field.
async fn result(page: &Client, field: &str) -> Value {
    for _ in 0..600 {
        // While a redirect is under way there may be no such element.
        let shown = match page.find(Locator::Css("#result")).await {
            Ok(element) => element.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        };
        if let Ok(value) = serde_json::from_str::<Value>(&shown)
            && value.get(field).is_some()
        {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the page never showed {field}");
}

#[tokio::test]
async fn a_page_pays_by_promise_by_widget_and_registers_a_card_with_the_script_alone() {
    let Some(driver) = Driver::start() else {
        return;
    };
    let (bench, files) = (Bench::start().await, tempfile::tempdir().unwrap());
    let page = driver.phone(&files).await;
    let shop = shop(&bench);
    page.goto(&shop).await.unwrap();

    press(&page, "#payment").await;
    pay_in_frame(&page).await;
    let paid = result(&page, "paymentKey").await;
    assert_eq!(
        paid["amount"],
        json!({ "currency": "KRW", "value": 10_000 })
    );
    assert!(paid.get("paymentType").is_none());
    let (key, order) = (
        paid["paymentKey"].as_str().unwrap(),
        paid["orderId"].as_str().unwrap(),
    );
    assert_eq!(
        bench
            .confirm(key, order, 10_000)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );

    press(&page, "input[value=TRANSFER]").await;
    assert_eq!(result(&page, "code").await["code"], "TRANSFER");
    press(&page, "#widget").await;
    pay_in_frame(&page).await;
    let paid = result(&page, "paymentType").await;
    let shown = bench
        .sandbox
        .payment(paid["paymentKey"].as_str().unwrap())
        .unwrap();
    assert_eq!(
        (&shown["method"], &shown["status"]),
        (&json!("계좌이체"), &json!("IN_PROGRESS"))
    );

    press(&page, "#billing").await;
    press(&page, "#leave").await;
    press(&page, "#return").await;
    press(&page, "#pay").await;
    assert_eq!(result(&page, "authKey").await["customerKey"], "buyer-1");

    page.goto(&bench.url("/sandbox")).await.unwrap();
    let row = page
        .wait()
        .at_most(PATIENCE)
        .for_element(Locator::Css("#payments b"))
        .await
        .unwrap();
    assert!(row.text().await.unwrap().starts_with("widget-"));
    assert!(fits(&page).await, "the console fits a phone");
    press(&page, "#inject").await;
    press(&page, "#faults button").await;
    bench
        .until("the fault is ended with one click", |sandbox| {
            sandbox.faults().is_empty()
        })
        .await;
    page.close().await.unwrap();
}

/// The text of an element once it has this in it.
async fn shown(page: &Client, selector: &str, wanted: &str) -> String {
    let mut text = String::new();
    for _ in 0..600 {
        // The console may replace an element while it is read.
        if let Ok(element) = page.find(Locator::Css(selector)).await {
            text = element.text().await.unwrap_or_default();
        }
        if text.contains(wanted) {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{selector} never shows {wanted}: {text}");
}

#[tokio::test]
async fn the_console_shows_calls_as_they_come_with_their_bodies_on_demand() {
    let Some(driver) = Driver::start() else {
        return;
    };
    let (bench, files) = (Bench::start().await, tempfile::tempdir().unwrap());
    let page = driver.phone(&files).await;
    page.goto(&bench.url("/sandbox")).await.unwrap();
    shown(&page, "#calls", "없음").await;
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    let confirm = bench.confirm(&key, "order-0001", 1_000);
    let confirm = confirm.header("idempotency-key", "order-0001:1");
    assert_eq!(confirm.send().await.unwrap().status(), 200);
    shown(&page, "#calls li", "POST confirm → 200").await;
    shown(&page, "#calls li code", "order-0001:1").await;
    shown(&page, "#payments li b", "order-0001 · DONE").await;
    press(&page, "#calls summary").await;
    shown(&page, "#calls .request", "\"amount\": 1000").await;
    let answer = shown(&page, "#calls .answer", "\"status\": \"DONE\"").await;
    assert!(answer.contains("\"secret\": \"***\""), "{answer}");

    let body = json!({
        "orderId": "order-0002", "orderName": "양말", "amount": 500, "cardPassword": "12",
        "cardNumber": "9410001234567890", "cardExpirationYear": "99",
        "cardExpirationMonth": "12", "customerIdentityNumber": "900101",
    });
    let paid = bench.post("/v1/payments/key-in", &body).send().await;
    assert_eq!(paid.unwrap().status(), 200);
    shown(&page, "#calls li", "POST keyIn → 200").await;
    // The row below has stayed open meanwhile.
    shown(&page, "#calls li:nth-child(2) .answer", "DONE").await;
    press(&page, "#calls summary").await;
    let sent = shown(&page, "#calls .request", "order-0002").await;
    assert!(sent.contains("\"cardPassword\": \"***\""), "{sent}");
    let source = page.source().await.unwrap();
    assert!(!source.contains("9410001234567890") && !source.contains("900101"));
    press(&page, "#payments summary").await;
    shown(&page, "#payments pre", "\"balanceAmount\": 500").await;
    assert!(fits(&page).await, "the console fits a phone");

    let kinds = page.find_all(Locator::Css("#kind option")).await.unwrap();
    assert!(kinds.len() > 15);
    for kind in 0..kinds.len() {
        press(&page, &format!("#kind option:nth-child({})", kind + 1)).await;
        press(&page, "#inject").await;
        let put = |sandbox: &toss_sandbox::Sandbox| sandbox.faults().len() == kind + 1;
        bench.until("every kind is taken", put).await;
    }
    press(&page, "#end-all").await;
    bench
        .until("all are ended with one click", |sandbox| {
            sandbox.faults().is_empty()
        })
        .await;
    page.close().await.unwrap();
}

/// Has the page run a line of script, whose answer it shows in its result.
async fn run(page: &Client, script: &str) {
    let script = format!("{script}.then(show, failed);");
    page.execute(&script, Vec::new()).await.unwrap();
}

#[tokio::test]
async fn a_window_of_widgets_needs_none_on_the_page_and_what_is_not_offered_says_so() {
    let Some(driver) = Driver::start() else {
        return;
    };
    let (bench, files) = (Bench::start().await, tempfile::tempdir().unwrap());
    let page = driver.phone(&files).await;
    page.goto(&shop(&bench)).await.unwrap();
    for call in [
        "widgets.renderPaymentWindow()",
        "TossPayments('test_ck_x').brandpay({ customerKey: 'buyer-1' }).openSettings()",
    ] {
        run(&page, "Promise.resolve({})").await;
        run(&page, call).await;
        assert_eq!(result(&page, "code").await["code"], "NOT_SUPPORTED");
    }
    let amount = "{ currency: 'USD', value: 12.34 }";
    let order = "orderId: 'order-0001', orderName: 'ticket'";
    run(
        &page,
        &format!("widgets.requestPaymentWindow({{ amount: {amount}, {order} }})"),
    )
    .await;
    pay_in_frame(&page).await;
    let paid = result(&page, "paymentType").await;
    assert_eq!(paid["amount"], json!({ "currency": "USD", "value": 12.34 }));
    let key = paid["paymentKey"].as_str().unwrap();
    let shown = bench.sandbox.payment(key).unwrap();
    assert_eq!(
        (&shown["status"], &shown["totalAmount"]),
        (&json!("IN_PROGRESS"), &json!(12.34))
    );
    page.close().await.unwrap();
}
