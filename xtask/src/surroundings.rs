//! What this machine offers to tests that need more than Rust: MySQL and a browser.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

/// The facts that decide which tests can run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// `TEST_DATABASE_URL` names a MySQL server.
    database_url: bool,
    /// `TEST_MYSQL_IMAGE`, the container image to start instead of the official one.
    mysql_image: Option<String>,
    /// A Docker engine answers.
    docker: bool,
    /// Programs of the browser tests that are not on `PATH`.
    browser_absent: Vec<&'static str>,
    /// Those of `REQUIRE_MYSQL` and `REQUIRE_BROWSER` that are set: absence is then a failure.
    required: Vec<&'static str>,
}

/// Debian's packages `chromium` and `chromium-driver` bring them.
const BROWSER_PROGRAMS: [&str; 2] = ["chromium", "chromedriver"];

const REQUIRE_MYSQL: &str = "REQUIRE_MYSQL";
const REQUIRE_BROWSER: &str = "REQUIRE_BROWSER";

/// Whether a group of tests can run here.
#[derive(Debug, PartialEq, Eq)]
enum Outlook {
    Runs(String),
    Skipped(String),
}

impl Surroundings {
    /// Looks at environment variables, `PATH` and the Docker engine.
    pub(crate) fn look() -> Self {
        Self {
            database_url: variable("TEST_DATABASE_URL").is_some(),
            mysql_image: variable("TEST_MYSQL_IMAGE"),
            docker: docker_answers(),
            browser_absent: BROWSER_PROGRAMS
                .into_iter()
                .filter(|name| !on_path(name))
                .collect(),
            required: [REQUIRE_MYSQL, REQUIRE_BROWSER]
                .into_iter()
                .filter(|name| required(name))
                .collect(),
        }
    }

    /// One line for each group: run, or skipped and why. Fails if a required group is absent.
    pub(crate) fn report(&self) -> anyhow::Result<String> {
        let mysql = self.mysql();
        let browser = self.browser();
        for (variable, outlook) in [(REQUIRE_MYSQL, &mysql), (REQUIRE_BROWSER, &browser)] {
            if let (true, Outlook::Skipped(why)) = (self.required.contains(&variable), outlook) {
                anyhow::bail!("{variable} is set, but {why}");
            }
        }
        Ok(format!("MySQL tests: {mysql}\nbrowser tests: {browser}"))
    }

    /// Whether the MySQL tests are expected to run.
    pub(crate) fn has_mysql(&self) -> bool {
        matches!(self.mysql(), Outlook::Runs(_))
    }

    fn mysql(&self) -> Outlook {
        if self.database_url {
            Outlook::Runs("on the server of TEST_DATABASE_URL".to_owned())
        } else if !self.docker {
            Outlook::Skipped("there is no TEST_DATABASE_URL and no Docker engine".to_owned())
        } else if let Some(image) = &self.mysql_image {
            Outlook::Runs(format!("in Docker, image {image} (TEST_MYSQL_IMAGE)"))
        } else {
            Outlook::Runs("in Docker, the official image if it can be had".to_owned())
        }
    }

    fn browser(&self) -> Outlook {
        if self.browser_absent.is_empty() {
            Outlook::Runs(format!("with {}", BROWSER_PROGRAMS.join(" and ")))
        } else {
            Outlook::Skipped(format!("PATH has no {}", self.browser_absent.join(", no ")))
        }
    }
}

impl std::fmt::Display for Outlook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Runs(how) => write!(f, "run {how}"),
            Self::Skipped(why) => write!(f, "SKIPPED: {why}"),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn required(name: &str) -> bool {
    variable(name).is_some_and(|value| value != "0")
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .any(|file: PathBuf| file.is_file())
}

/// Asks the engine, not the program: the client may be installed where no engine runs.
fn docker_answers() -> bool {
    Command::new("docker")
        .args(["version", "--format", "{{.Server.Version}}"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare_machine() -> Surroundings {
        Surroundings {
            browser_absent: vec!["chromedriver"],
            ..Surroundings::default()
        }
    }

    #[test]
    fn a_bare_machine_is_told_what_is_skipped_and_why() {
        assert_eq!(
            bare_machine().report().unwrap(),
            "MySQL tests: SKIPPED: there is no TEST_DATABASE_URL and no Docker engine\n\
             browser tests: SKIPPED: PATH has no chromedriver"
        );
    }

    #[test]
    fn a_database_url_goes_before_docker() {
        let there = Surroundings {
            database_url: true,
            docker: true,
            mysql_image: Some("mine".to_owned()),
            ..Surroundings::default()
        };
        let without_url = Surroundings {
            database_url: false,
            ..there.clone()
        };
        let by_default = Surroundings {
            mysql_image: None,
            ..without_url.clone()
        };
        assert_eq!(
            there.mysql().to_string(),
            "run on the server of TEST_DATABASE_URL"
        );
        assert!(without_url.mysql().to_string().contains("image mine"));
        assert!(by_default.mysql().to_string().contains("official image"));
    }

    #[test]
    fn an_image_without_an_engine_is_no_database() {
        let there = Surroundings {
            mysql_image: Some("mine".to_owned()),
            ..bare_machine()
        };
        assert!(matches!(there.mysql(), Outlook::Skipped(_)));
    }

    #[test]
    fn a_required_group_that_is_absent_fails() {
        let mysql = Surroundings {
            required: vec![REQUIRE_MYSQL],
            ..bare_machine()
        };
        let browser = Surroundings {
            required: vec![REQUIRE_BROWSER],
            ..bare_machine()
        };
        assert!(
            mysql
                .report()
                .unwrap_err()
                .to_string()
                .starts_with("REQUIRE_MYSQL is set")
        );
        assert!(
            browser
                .report()
                .unwrap_err()
                .to_string()
                .starts_with("REQUIRE_BROWSER is set")
        );
    }
}
