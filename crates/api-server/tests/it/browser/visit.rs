//! One visit: a fresh server, a browser of its own, and what the browser noted on the way.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use api_server::config::Cli;
use api_server::wiring::{self, RunningServer};
use clap::Parser as _;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use toss_sandbox::{LedgerRow, Sandbox};

/// Long enough for a machine that compiles at the same time.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// What the buyer looks at; both speak Korean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Screen {
    /// 1280 × 900.
    Desktop,
    /// 390 × 844, with touch.
    Phone,
}

/// A buyer in front of a fresh shop. Dropped by a panic, it takes its browser down too.
pub(super) struct Visit {
    screen: Screen,
    page: Client,
    driver: Driver,
    server: RunningServer,
    http: reqwest::Client,
    _files: TempDir,
}

impl Visit {
    /// `None` where there is no browser.
    pub(super) async fn start(screen: Screen) -> Option<Self> {
        if let Some(missing) = missing_program(&["chromium", "chromedriver"]) {
            let required = std::env::var_os("REQUIRE_BROWSER");
            assert!(
                required.is_none_or(|value| value.is_empty() || value == "0"),
                "REQUIRE_BROWSER is set, but PATH has no {missing}"
            );
            // Past the test harness, which would swallow it.
            let _ = writeln!(
                std::io::stderr(),
                "skipped: browser (PATH has no {missing})"
            );
            return None;
        }
        let files = tempfile::tempdir().unwrap();
        let server = embedded_server(&files).await;
        let driver = Driver::start();
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(screen, &files))
            .connect(&driver.url)
            .await
            .unwrap();
        // The browser's own start page is none of ours, nor is what it loads.
        page.goto("about:blank").await.unwrap();
        let visit = Self {
            screen,
            page,
            driver,
            server,
            http: crate::shop::http_client(),
            _files: files,
        };
        visit.log("performance").await;
        Some(visit)
    }

    /// Checks what the browser noted, and ends everything. An error in its console counts unless
    /// it has all of `expected` in it.
    pub(super) async fn end(self, expected: &[&str]) {
        let base = self.server.base_url();
        let requests = self.requests().await;
        assert!(
            requests.contains(&format!("{base}/shop/assets/shop.js")),
            "the log is the right one: {requests:?}"
        );
        for url in requests {
            let own = url
                .strip_prefix(&base)
                .is_some_and(|rest| rest.starts_with('/'));
            assert!(
                own || url.starts_with("data:"),
                "{url} is not of this server"
            );
        }
        for entry in self.log("browser").await {
            let message = entry["message"].as_str().unwrap();
            let known = !expected.is_empty() && expected.iter().all(|part| message.contains(part));
            assert!(
                known || !matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")),
                "the browser complains: {message}"
            );
        }
        self.page.close().await.unwrap();
        self.server.stop().await;
    }

    pub(super) async fn open(&self, path: &str) {
        let url = format!("{}{path}", self.server.base_url());
        self.page.goto(&url).await.unwrap();
    }

    pub(super) async fn reload(&self) {
        self.page.refresh().await.unwrap();
    }

    pub(super) async fn wait_for(&self, css: &str) -> fantoccini::elements::Element {
        let waited = self.page.wait().at_most(PATIENCE).every(POLL);
        match waited.for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => {
                let at = self.page.current_url().await.unwrap();
                panic!("{css} does not appear at {at}: {error}")
            }
        }
    }

    /// A page that draws itself anew may replace the element between finding and using it.
    pub(super) async fn click(&self, css: &str) {
        loop {
            match self.wait_for(css).await.click().await {
                Err(error) if error.is_stale_element_reference() => tokio::time::sleep(POLL).await,
                clicked => return clicked.unwrap(),
            }
        }
    }

    pub(super) async fn text(&self, css: &str) -> String {
        loop {
            match self.wait_for(css).await.text().await {
                Err(error) if error.is_stale_element_reference() => tokio::time::sleep(POLL).await,
                text => return text.unwrap(),
            }
        }
    }

    pub(super) async fn path(&self) -> String {
        self.page.current_url().await.unwrap().path().to_owned()
    }

    /// Nothing is wider than the screen, which a phone would show as a page that slides sideways.
    pub(super) async fn assert_fits_the_screen(&self) {
        let script = "return [document.documentElement.scrollWidth, window.innerWidth]";
        let widths = self.page.execute(script, Vec::new()).await.unwrap();
        let (content, screen) = (widths[0].as_u64().unwrap(), widths[1].as_u64().unwrap());
        assert!(content <= screen, "{content} px on a {screen} px screen");
        let expected = match self.screen {
            Screen::Desktop => 1280,
            Screen::Phone => 390,
        };
        assert_eq!(screen, expected);
    }

    /// Saves `{name}.png`, or `{name}-phone.png`, if `SCREENSHOTS` names a directory.
    pub(super) async fn take_screenshot(&self, name: &str) {
        let Some(directory) = std::env::var_os("SCREENSHOTS").filter(|it| !it.is_empty()) else {
            return;
        };
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(directory);
        std::fs::create_dir_all(&directory).unwrap();
        let suffix = match self.screen {
            Screen::Desktop => "",
            Screen::Phone => "-phone",
        };
        let picture = self.page.screenshot().await.unwrap();
        std::fs::write(directory.join(format!("{name}{suffix}.png")), picture).unwrap();
    }

    /// GETs a path of the server, or a whole address, past the browser.
    pub(super) async fn get(&self, address: &str) -> reqwest::Response {
        let url = match address.strip_prefix('/') {
            Some(path) => format!("{}/{path}", self.server.base_url()),
            None => address.to_owned(),
        };
        self.http.get(url).send().await.unwrap()
    }

    pub(super) fn ledger_row(&self, order_id: &str) -> LedgerRow {
        self.sandbox().ledger_row(order_id).unwrap()
    }

    pub(super) fn ledger_is_empty(&self) -> bool {
        self.sandbox().ledger().iter().all(|row| row.approvals == 0)
    }

    fn sandbox(&self) -> &Sandbox {
        self.server.sandbox.as_ref().unwrap()
    }

    /// The address of every request that a page made, on all pages of the visit.
    async fn requests(&self) -> Vec<String> {
        let entries = self.log("performance").await;
        let sent = entries.iter().filter_map(|entry| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).unwrap();
            let event = &event["message"];
            (event["method"] == "Network.requestWillBeSent").then(|| {
                event["params"]["request"]["url"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
        });
        sent.collect()
    }

    /// One of the driver's logs since it was last asked for; fantoccini has no call for it.
    async fn log(&self, kind: &str) -> Vec<Value> {
        let session = self.page.session_id().await.unwrap().unwrap();
        let url = format!("{}/session/{session}/se/log", self.driver.url);
        let asked = self.http.post(url).json(&json!({ "type": kind })).send();
        let answer: Value = asked.await.unwrap().json().await.unwrap();
        answer["value"].as_array().unwrap().clone()
    }
}

/// The server in embedded mode, on a free port and a fresh SQLite file.
pub(crate) async fn embedded_server(files: &TempDir) -> RunningServer {
    let database = format!("sqlite:{}", files.path().join("shop.db").display());
    let flags = ["api-server", "--listen=127.0.0.1:0", "--database-url"];
    let cli = Cli::parse_from(flags.into_iter().chain([database.as_str()]));
    wiring::start(cli.settings).await.unwrap()
}

/// `chromedriver` with the browsers it started, as a process group that ends with this value.
struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    fn start() -> Self {
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
        // "ChromeDriver was started successfully on port 41234."
        let mut lines = BufReader::new(output).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let port = line.split("successfully on port ").nth(1)?;
            Some(port.trim_end_matches('.').parse::<u16>().unwrap())
        });
        driver.url = format!("http://127.0.0.1:{}", port.unwrap());
        driver
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

/// Neither a sandbox of its own, which containers refuse, nor a way to any other host.
fn capabilities(screen: Screen, files: &TempDir) -> fantoccini::wd::Capabilities {
    let profile = files.path().join("profile");
    // Emulated sizes are the page's own, without the window's frame.
    let metrics = match screen {
        Screen::Desktop => {
            json!({ "width": 1280, "height": 900, "pixelRatio": 1, "mobile": false, "touch": false })
        }
        Screen::Phone => json!({ "width": 390, "height": 844, "pixelRatio": 2, "touch": true }),
    };
    let options = json!({
        "args": [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            format!("--user-data-dir={}", profile.display()),
        ],
        "prefs": { "intl.accept_languages": "ko-KR,ko" },
        "mobileEmulation": { "deviceMetrics": metrics },
    });
    let all = json!({
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
    });
    match all {
        Value::Object(capabilities) => capabilities,
        other => unreachable!("{other} is an object"),
    }
}

/// The first of these programs that is not on `PATH`.
pub(crate) fn missing_program<'a>(programs: &[&'a str]) -> Option<&'a str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = |program: &str| {
        std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
    };
    programs.iter().copied().find(|program| !on_path(program))
}
