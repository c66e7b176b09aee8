//! The copy of the working tree in which bugs are planted.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use super::patch::Mutant;

/// A copy of the working tree, uncommitted changes included, and a target directory for it alone.
pub(super) struct Workspace {
    /// Where the copy is.
    pub(super) root: PathBuf,
    /// Its target directory.
    pub(super) target: PathBuf,
    /// Where the output of its builds and tests goes.
    pub(super) logs: PathBuf,
}

/// A bug that is in the copy now.
pub(super) struct Planted {
    sound: Vec<(PathBuf, Vec<u8>)>,
}

impl Workspace {
    /// Brings the copy up to date. Files that are the same keep their times, so that only what
    /// changed is compiled again.
    pub(super) fn prepare(root: &Path) -> anyhow::Result<Self> {
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |path| root.join(path));
        let home = target.join("mutants");
        let workspace = Self {
            root: home.join("workspace"),
            target: home.join("target"),
            logs: home.join("logs"),
        };
        fs::create_dir_all(&workspace.root)?;
        fs::create_dir_all(&workspace.logs)?;
        let files = listed(root)?;
        for file in &files {
            copy_if_different(&root.join(file), &workspace.root.join(file))
                .with_context(|| format!("could not copy {}", file.display()))?;
        }
        remove_all_but(&files, &workspace.root, Path::new(""))?;
        Ok(workspace)
    }

    /// Applies the patch to the copy.
    pub(super) fn plant(&self, mutant: &Mutant) -> anyhow::Result<Planted> {
        let mut sound = Vec::new();
        for file in &mutant.files {
            let path = self.root.join(file);
            let content = fs::read(&path).with_context(|| path.display().to_string())?;
            sound.push((path, content));
        }
        let planted = Planted { sound };
        apply(&self.root, &mutant.path, &[])?;
        for (path, content) in &planted.sound {
            anyhow::ensure!(
                fs::read(path)? != *content,
                "{} left {} as it was",
                mutant.name,
                path.display()
            );
        }
        Ok(planted)
    }
}

impl Planted {
    /// Puts the copy right again. After an error or an interrupt the next run does.
    pub(super) fn restore(self) -> anyhow::Result<()> {
        for (path, content) in &self.sound {
            fs::write(path, content).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

/// Whether the patch fits the source at `root`; changes nothing.
pub(super) fn check(root: &Path, mutant: &Mutant) -> anyhow::Result<()> {
    apply(root, &mutant.path, &["--check"]).with_context(|| {
        format!(
            "{} does not fit the source any more: bring the patch up to date",
            mutant.path.display()
        )
    })
}

/// git is kept from taking a directory above for the repository: there it would leave every file
/// alone and be content.
fn apply(root: &Path, patch: &Path, options: &[&str]) -> anyhow::Result<()> {
    let root = root.canonicalize()?;
    let mut git = Command::new("git");
    git.current_dir(&root)
        .arg("apply")
        .args(options)
        .arg(patch)
        .env_remove("GIT_DIR");
    if let Some(above) = root.parent() {
        git.env("GIT_CEILING_DIRECTORIES", above);
    }
    let output = git.output().context("git is needed")?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// What belongs to the working tree: everything that git follows or would add.
fn listed(root: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let output = Command::new("git")
        .current_dir(root)
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output()
        .context("git is needed")?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let names = String::from_utf8(output.stdout).context("a file's name is no text")?;
    let names = names.split('\0').filter(|name| !name.is_empty());
    Ok(names
        .map(PathBuf::from)
        .filter(|file| root.join(file).is_file())
        .collect())
}

fn copy_if_different(from: &Path, to: &Path) -> anyhow::Result<()> {
    let content = fs::read(from)?;
    if fs::read(to).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if let Some(directory) = to.parent() {
        fs::create_dir_all(directory)?;
    }
    // Writing, not copying: the new time is what has it compiled again.
    fs::write(to, content)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    Ok(())
}

/// Removes what is in the copy and in the working tree no more; a left-over test or migration
/// would be compiled into it.
fn remove_all_but(files: &BTreeSet<PathBuf>, root: &Path, below: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            remove_all_but(files, root, &path)?;
            // Fails, as it should, unless nothing is left in it.
            let _ = fs::remove_dir(root.join(path));
        } else if !files.contains(&path) {
            fs::remove_file(root.join(path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "Bug: None.\n\n--- a/src/one.rs\n+++ b/src/one.rs\n@@ -1,2 +1,2 @@\n \
        let a = 1;\n-let b = 2;\n+let b = 3;\n";
    const SOUND: &str = "let a = 1;\nlet b = 2;\n";

    /// A repository with a copy inside, as the target directory lies inside ours.
    fn nested() -> (tempfile::TempDir, Workspace, Mutant) {
        let outer = tempfile::tempdir().unwrap();
        let mut git = Command::new("git");
        git.args(["init", "--quiet"]).current_dir(outer.path());
        assert!(git.status().unwrap().success());
        let root = outer.path().join("target/workspace");
        fs::create_dir_all(root.join("src")).unwrap();
        fs::write(root.join("src/one.rs"), SOUND).unwrap();
        let path = outer.path().join("bug.patch");
        fs::write(&path, PATCH).unwrap();
        let workspace = Workspace {
            root,
            target: outer.path().join("target"),
            logs: outer.path().join("logs"),
        };
        let mutant = Mutant {
            name: "bug".to_owned(),
            bug: String::new(),
            cost: String::new(),
            suites: Vec::new(),
            needs_mysql: false,
            files: vec!["src/one.rs".into()],
            path,
        };
        (outer, workspace, mutant)
    }

    #[test]
    fn a_bug_is_planted_and_taken_back_inside_another_repository() {
        let (_outer, workspace, mutant) = nested();
        let one = workspace.root.join("src/one.rs");
        check(&workspace.root, &mutant).unwrap();
        assert_eq!(fs::read_to_string(&one).unwrap(), SOUND);
        let planted = workspace.plant(&mutant).unwrap();
        assert!(fs::read_to_string(&one).unwrap().contains("let b = 3;"));
        planted.restore().unwrap();
        assert_eq!(fs::read_to_string(&one).unwrap(), SOUND);
    }

    #[test]
    fn a_patch_that_does_not_fit_any_more_is_named() {
        let (_outer, workspace, mutant) = nested();
        fs::write(workspace.root.join("src/one.rs"), "let c = 2;\n").unwrap();
        let error = check(&workspace.root, &mutant).unwrap_err().to_string();
        assert!(error.contains("bug.patch does not fit"), "{error}");
    }

    #[test]
    fn a_copy_keeps_what_is_the_same_and_loses_what_is_gone() {
        let (outer, workspace, _) = nested();
        let (from, to) = (
            outer.path().join("bug.patch"),
            workspace.root.join("copied"),
        );
        copy_if_different(&from, &to).unwrap();
        let first = fs::metadata(&to).unwrap().modified().unwrap();
        copy_if_different(&from, &to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().modified().unwrap(), first);
        remove_all_but(
            &BTreeSet::from(["copied".into()]),
            &workspace.root,
            Path::new(""),
        )
        .unwrap();
        assert!(to.exists() && !workspace.root.join("src").exists());
    }
}
