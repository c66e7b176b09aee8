//! The table of the README, written from the cases. That its examples make the calls is proved by
//! the tests that run them.

use std::{env, fs, path::Path};

use toss_client::Endpoint;

use super::{Alone, CASES};

const BEGIN: &str = "<!-- coverage: written by `UPDATE_README=1 cargo test -p toss-client --all-features coverage` -->\n";
const END: &str = "<!-- end of coverage -->";

fn table() -> String {
    let mut lines = vec![
        "| call of Toss | implemented | example | contract test | at Toss's test environment |"
            .to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for case in CASES {
        let alone = match case.alone {
            Alone::Yes => "yes".to_owned(),
            Alone::Needs(whom) => format!("needs {whom}"),
        };
        lines.push(format!(
            "| `{}` | `{call}` | `{}` | sandbox, recorded shape | {alone} |",
            case.endpoint,
            case.example,
            call = case.call,
        ));
    }
    lines.join("\n") + "\n"
}

#[test]
fn coverage_has_every_documented_call_in_order() {
    let covered: Vec<_> = CASES.iter().map(|case| case.endpoint).collect();
    assert_eq!(covered, Endpoint::ALL);
}

#[test]
fn coverage_in_the_readme_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (written, tail) = rest.split_once(END).unwrap();
    if env::var_os("UPDATE_README").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{}{END}{tail}", table())).unwrap();
        return;
    }
    assert_eq!(written, table(), "run it with UPDATE_README=1");
}
