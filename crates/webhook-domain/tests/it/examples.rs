//! The examples of `docs/webhooks.md`, run against real signatures. Where a program is missing the test
//! says so in one line.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use kernel::{Clock as _, SystemClock, SystemRandomness};
use webhook_domain::model::{SigningSecret, sign};

const PAGE: &str = include_str!("../../../../docs/webhooks.md");
const BODY: &str = r#"{"type":"payment.done","data":{"orderName":"티셔츠 외 1건","sequence":3}}"#;

/// The first example in this language that has this in it.
fn example(language: &str, part: &str) -> &'static str {
    let blocks = PAGE.split("```").skip(1).step_by(2);
    let mut code = blocks.filter_map(|block| block.strip_prefix(&format!("{language}\n")[..]));
    code.find(|code| code.contains(part)).unwrap()
}

fn has(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok();
    if !is_there {
        let _ = writeln!(std::io::stderr(), "skipped: there is no {program}");
    }
    is_there
}

struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("webhook-example-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder for temporary files may as well keep it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether the command takes an event for genuine, with these in its environment.
fn takes(
    mut command: Command,
    secret: &SigningSecret,
    now: i64,
    signature: &str,
    body: &str,
) -> bool {
    let folder = command.get_current_dir().unwrap().to_owned();
    std::fs::write(folder.join("body.json"), body).unwrap();
    let ran = command
        .env("SECRET", secret.expose())
        .env("ID", "evt_1")
        .env("TIMESTAMP", now.to_string())
        .env("SIGNATURE", signature)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(said.is_empty(), "{said}");
    ran.status.success()
}

fn check(mut command: impl FnMut() -> Command) {
    let [secret, other] = [(); 2].map(|()| SigningSecret::random(&SystemRandomness));
    let now = SystemClock.now().timestamp();
    let good = sign([&secret], "evt_1", now, BODY);
    let rotated = sign([&other, &secret], "evt_1", now, BODY);
    let forged = sign([&other], "evt_1", now, BODY);
    let mut takes = |signature: &str, body: &str| takes(command(), &secret, now, signature, body);
    assert!(takes(&good, BODY));
    assert!(takes(&rotated, BODY));
    assert!(!takes(&forged, BODY));
    assert!(!takes(&good, &BODY.replace('3', "4")));
    assert!(!takes("", BODY));
}

#[test]
fn the_shell_s_example_tells_genuine_from_forged() {
    if !has("openssl") {
        return;
    }
    let folder = Folder::new("sh");
    let script = example("sh", "openssl dgst");
    check(|| {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).current_dir(folder.path());
        command
    });
}

#[test]
fn python_s_example_tells_genuine_from_forged() {
    if !has("python3") {
        return;
    }
    let folder = Folder::new("python");
    let code = example("python", "is_genuine");
    std::fs::write(folder.path().join("receiver.py"), code).unwrap();
    let ask = "import os, receiver
headers = {'webhook-id': os.environ['ID'], 'webhook-timestamp': os.environ['TIMESTAMP'],
           'webhook-signature': os.environ['SIGNATURE']}
body = open('body.json', 'rb').read()
assert not receiver.is_genuine(os.environ['SECRET'], headers, body, int(os.environ['TIMESTAMP']) + 301)
raise SystemExit(0 if receiver.is_genuine(os.environ['SECRET'], headers, body) else 1)";
    check(|| {
        let mut command = Command::new("python3");
        command.arg("-c").arg(ask).current_dir(folder.path());
        command
    });
}
