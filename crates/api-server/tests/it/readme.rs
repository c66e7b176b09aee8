//! What the READMEs say, in either language, is so: the walk-through runs as it is printed, and the
//! settings are those of `--help`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use api_server::config::Cli;
use clap::CommandFactory as _;

use crate::browser::{embedded_server, missing_program};

const ENGLISH: &str = include_str!("../../../../README.md");
const KOREAN: &str = include_str!("../../../../README.ko.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_walkthrough_runs_as_it_is_printed() {
    if let Some(missing) = missing_program(&["bash", "curl", "sed"]) {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: walk-through (PATH has no {missing})"
        );
        return;
    }
    for readme in [ENGLISH, KOREAN] {
        let files = tempfile::tempdir().unwrap();
        let server = embedded_server(&files).await;
        let printed = run(&walkthrough(readme), &server.base_url());
        for expected in [
            r#""totalAmount":210000,"currency":"KRW","status":"READY""#,
            "/shop/success?paymentType=NORMAL&orderId=",
            r#""amount":210000,"status":"DONE""#,
            "idempotency-replayed: true",
            r#""balanceAmount":210000"#,
            r#""stock":56"#,
        ] {
            assert!(
                printed.contains(expected),
                "{expected} is not in:\n{printed}"
            );
        }
        let bank = server.sandbox.as_ref().unwrap().ledger();
        assert_eq!(bank.len(), 1);
        assert_eq!((bank[0].approvals, bank[0].net), (1, 210_000));
        server.stop().await;
    }
}

#[test]
fn both_languages_walk_the_same_way() {
    let commands = |readme| {
        let block = walkthrough(readme);
        let lines = block.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(commands(ENGLISH), commands(KOREAN));
}

#[test]
fn the_settings_are_those_of_the_help() {
    for readme in [ENGLISH, KOREAN] {
        let rows: Vec<&str> = readme
            .lines()
            .filter(|line| line.starts_with("| `--"))
            .collect();
        let command = Cli::command();
        // A hidden one is for tests only.
        let shown = command
            .get_arguments()
            .filter(|setting| !setting.is_hide_set());
        let settings =
            shown.filter_map(|setting| Some((setting.get_long()?, setting.get_env()?, setting)));
        let mut settings_count = 0;
        for (flag, variable, setting) in settings {
            settings_count += 1;
            let start = format!("| `--{flag}` | `{}` |", variable.display());
            let row = rows.iter().find(|row| row.starts_with(&start));
            let row = row.unwrap_or_else(|| panic!("no row begins with {start}"));
            for default in setting.get_default_values() {
                let cell = format!("| `{}` |", default.display());
                assert!(row.contains(&cell), "{row} has no {cell}");
            }
        }
        assert_eq!(rows.len(), settings_count, "a row is of no setting");
    }
}

fn walkthrough(readme: &str) -> String {
    let (_, rest) = readme.split_once("```sh walkthrough\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// Runs a script that stops at the first failure; returns what it printed.
fn run(script: &str, base_url: &str) -> String {
    let ran = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .env("BASE", base_url)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8(ran.stdout).unwrap();
    let complaint = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.success(), "{printed}\n{complaint}");
    printed
}
