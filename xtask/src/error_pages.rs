//! Every error code that the server can answer has a page that says what to do about it.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Context as _;

/// `E` and this many digits.
const DIGITS: usize = 5;

/// Fails with every error code in `crates/api-server/src` that has no page in `docs/errors`,
/// and with every page that the index there does not name.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let mut codes = BTreeSet::new();
    collect_codes(&root.join("crates/api-server/src"), &mut codes)?;
    let directory = root.join("docs/errors");
    let mut pages = BTreeSet::new();
    for name in file_names(&directory)? {
        pages.extend(name.strip_suffix(".md").map(str::to_owned));
    }
    pages.remove("README");
    let index = fs::read_to_string(directory.join("README.md")).context("docs/errors/README.md")?;

    let unexplained = absent(&codes, &pages);
    anyhow::ensure!(
        unexplained.is_empty(),
        "no page in docs/errors for {}",
        unexplained.join(", ")
    );
    let unlisted = absent(&pages, &codes_in(&index));
    anyhow::ensure!(
        unlisted.is_empty(),
        "docs/errors/README.md lacks {}",
        unlisted.join(", ")
    );
    Ok(())
}

/// The members of `wanted` that `present` lacks, in order.
fn absent(wanted: &BTreeSet<String>, present: &BTreeSet<String>) -> Vec<String> {
    wanted.difference(present).cloned().collect()
}

/// Every error code that stands in `text` as a word of its own.
fn codes_in(text: &str) -> BTreeSet<String> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| {
            word.strip_prefix('E').is_some_and(|digits| {
                digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
            })
        })
        .map(str::to_owned)
        .collect()
}

fn collect_codes(directory: &Path, codes: &mut BTreeSet<String>) -> anyhow::Result<()> {
    for name in file_names(directory)? {
        let path = directory.join(&name);
        if path.is_dir() {
            collect_codes(&path, codes)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            codes.extend(codes_in(&text));
        }
    }
    Ok(())
}

fn file_names(directory: &Path) -> anyhow::Result<Vec<String>> {
    fs::read_dir(directory)
        .with_context(|| directory.display().to_string())?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(codes: &[&str]) -> BTreeSet<String> {
        codes.iter().map(|&code| code.to_owned()).collect()
    }

    #[test]
    fn codes_are_words_of_e_and_five_digits() {
        let text = r#"code: "E03004", // E03009|E99001
            let E0300 = 1; E030041, XE03005, E03006_X, e03007"#;
        assert_eq!(codes_in(text), set(&["E03004", "E03009", "E99001"]));
    }

    #[test]
    fn a_code_without_a_page_is_named() {
        let pages = set(&["E03001", "E99999"]);
        assert_eq!(absent(&set(&["E03001", "E03002"]), &pages), ["E03002"]);
        assert!(absent(&set(&["E03001"]), &pages).is_empty());
    }

    #[test]
    fn this_workspace_explains_its_codes() {
        run(&crate::workspace_root().unwrap()).unwrap();
    }
}
