//! Settings: every flag is also an environment variable, and a wrong one stops the start with one
//! clear line.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, Parser, Subcommand};
use kernel::Timestamp;
use payment_domain::model::Policy;
use secrecy::{ExposeSecret, SecretString};
use storage::{DatabaseSettings, DatabaseUrl};
use webhook_domain::model::TargetRules;

use crate::keys::{Scope, parse_name};
use crate::worker::Pace;

#[cfg(feature = "failpoints")]
use crate::failpoints::Failpoints;

/// A payment server for shops that take money through Toss Payments.
///
/// Without settings it runs on an embedded SQLite file and a built-in sandbox instead of Toss, with
/// a demo shop: no account, no database, no money.
#[derive(Debug, Parser)]
#[command(name = "api-server", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings.
    #[command(flatten)]
    pub settings: Settings,
}

/// What the program can do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Serve (the default).
    Serve,
    /// Bring the database's schema up to date, and end.
    Migrate,
    /// Compare the books with Toss, print what differs, and end: 0 when all agree, 1 when something
    /// differs, 2 when the comparison could not be made whole.
    Reconcile(ReconcileArgs),
    /// Make keys for operators.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Print the OpenAPI document, and end.
    Openapi,
}

/// What can be done about operators' keys.
#[derive(Debug, Clone, Subcommand)]
pub enum KeyCommand {
    /// Make up a key, print it this once together with its line for `API_KEYS_FILE`, and end.
    New(NewKeyArgs),
}

/// Whose key, and what for.
#[derive(Debug, Clone, Args)]
pub struct NewKeyArgs {
    /// Whose it is, for the log: 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'.
    #[arg(long, value_parser = parse_name)]
    pub name: String,
    /// What it may do, separated by commas; refund includes read, admin includes all.
    #[arg(long, value_enum, value_delimiter = ',', required = true)]
    pub scopes: Vec<Scope>,
}

/// What to reconcile, and how to tell.
#[derive(Debug, Clone, Copy, Args)]
pub struct ReconcileArgs {
    /// The first moment: a date (midnight in Korea) or RFC 3339 [default: 24 hours before the end].
    #[arg(long, value_parser = parse_moment)]
    pub from: Option<Timestamp>,
    /// The first moment that is not compared any more: a date (midnight in Korea) or RFC 3339
    /// [default: ten minutes ago, because what is younger may still be under way].
    #[arg(long, value_parser = parse_moment)]
    pub to: Option<Timestamp>,
    /// Mend what can be mended safely: have Toss asked again about undecided and unpaid payments,
    /// and deliver stock instructions again.
    #[arg(long)]
    pub fix: bool,
    /// Print JSON lines instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// The server's settings.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Address and port to listen on.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8080", global = true)]
    pub listen: SocketAddr,
    /// `sqlite:PATH` or `mysql://USER:PASSWORD@HOST:PORT/DATABASE`; with several hosts
    /// (`HOST:PORT,HOST:PORT,…`) the one that takes writes is found.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite:data/payments.db",
          hide_env_values = true, value_parser = parse_database_url, global = true)]
    pub database_url: DatabaseUrl,
    /// Toss's secret key. Without it the built-in sandbox takes Toss's place.
    #[arg(long, env = "TOSS_SECRET_KEY", hide_env_values = true, value_parser = parse_secret, global = true)]
    pub toss_secret_key: Option<SecretString>,
    /// Toss's client key, the pair of the secret key. Accepted, and used by nothing yet: the demo
    /// shop exists in embedded mode only, with the sandbox's key.
    #[arg(long, env = "TOSS_CLIENT_KEY", hide_env_values = true, global = true)]
    pub toss_client_key: Option<String>,
    /// Where Toss's API is [default: Toss's own address].
    #[arg(long, env = "TOSS_BASE_URL", global = true)]
    pub toss_base_url: Option<String>,
    /// How long one call to Toss may take.
    #[arg(long, env = "TOSS_TIMEOUT", default_value = "60s", value_parser = parse_duration, global = true)]
    pub toss_timeout: Duration,
    /// How long a confirm owns its payment; must exceed the Toss timeout.
    #[arg(long, env = "CONFIRM_LEASE", default_value = "90s", value_parser = parse_duration, global = true)]
    pub confirm_lease: Duration,
    /// How long a confirm waits before it answers E03009 or E03017, and a cancel for another one
    /// before it answers E03024.
    #[arg(long, env = "CONFIRM_WAIT", default_value = "65s", value_parser = parse_duration, global = true)]
    pub confirm_wait: Duration,
    /// How often due payments are looked for.
    #[arg(long, env = "RECOVERY_INTERVAL", default_value = "1s", value_parser = parse_duration, global = true)]
    pub recovery_interval: Duration,
    /// The pause before the first look at an undecided payment; doubles with jitter to 5 minutes.
    #[arg(long, env = "RECOVERY_BACKOFF", default_value = "2s", value_parser = parse_duration, global = true)]
    pub recovery_backoff: Duration,
    /// Looks at an undecided payment before it is quarantined.
    #[arg(long, env = "RECOVERY_LIMIT", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=1000), global = true)]
    pub recovery_limit: u32,
    /// Payments that are recovered at once. No database connection is held while Toss is asked, so
    /// it may well exceed the pool.
    #[arg(long, env = "RECOVERY_CONCURRENCY", default_value_t = 32,
          value_parser = clap::value_parser!(u32).range(1..=1000), global = true)]
    pub recovery_concurrency: u32,
    /// How long a buyer may take from checkout to confirm.
    #[arg(long, env = "PAYMENT_EXPIRY", default_value = "30m", value_parser = parse_duration, global = true)]
    pub payment_expiry: Duration,
    /// Database connections.
    #[arg(long, env = "DATABASE_POOL_SIZE", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=1000), global = true)]
    pub database_pool_size: u32,
    /// Whether concurrent writes share transactions, and so the disk's slowest step.
    #[arg(long, env = "GROUP_COMMIT", value_enum, default_value_t = Switch::On, global = true)]
    pub group_commit: Switch,
    /// An operators' key that may do everything. Without Toss's secret key: random, printed at start;
    /// otherwise required, unless there is a file of keys.
    #[arg(long, env = "API_KEY", hide_env_values = true, value_parser = parse_secret, global = true)]
    pub api_key: Option<SecretString>,
    /// A file of operators' keys with names and scopes, as `key new` prints them. It is read again
    /// when it changes.
    #[arg(long, env = "API_KEYS_FILE", global = true)]
    pub api_keys_file: Option<String>,
    /// How long the server serves on after SIGTERM while `/health/ready` says no, so that a proxy
    /// turns to another instance before this one stops. At SIGINT (Ctrl-C) it stops at once.
    #[arg(long, env = "DRAIN_DELAY", default_value = "3s", value_parser = parse_duration, global = true)]
    pub drain_delay: Duration,
    /// How long running requests may take to end at shutdown.
    #[arg(long, env = "SHUTDOWN_GRACE", default_value = "70s", value_parser = parse_duration, global = true)]
    pub shutdown_grace: Duration,
    /// Confirms at once; more are shed with 503.
    #[arg(long, env = "MAX_IN_FLIGHT", default_value_t = 5000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000), global = true)]
    pub max_in_flight: u32,
    /// Streams of payments' changes (`GET …/events`) that are open at once; more are refused with 503.
    #[arg(long, env = "EVENT_STREAMS", default_value_t = 500,
          value_parser = clap::value_parser!(u32).range(1..=100_000), global = true)]
    pub event_streams: u32,
    /// Requests per second and client address on the public routes [default: off].
    #[arg(long, env = "RATE_LIMIT", value_parser = clap::value_parser!(u32).range(1..=1_000_000), global = true)]
    pub rate_limit: Option<u32>,
    /// Whether webhooks may go to addresses of private networks, and to `http` URLs [default: true
    /// without Toss's secret key, otherwise false].
    #[arg(long, env = "WEBHOOK_ALLOW_PRIVATE", global = true)]
    pub webhook_allow_private: Option<bool>,
    /// How logs are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Human, global = true)]
    pub log_format: LogFormat,
    /// Where the process kills itself, as `name=probability,…`: for chaos runs, and only in a
    /// program that was built with the feature `failpoints`.
    #[cfg(feature = "failpoints")]
    #[arg(long, env = "FAILPOINTS", default_value = "", hide = true,
          value_parser = Failpoints::parse, global = true)]
    pub failpoints: Failpoints,
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

/// Why the settings do not go together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A confirm could outlive its lease, and two could ask Toss at once.
    #[error("CONFIRM_LEASE ({lease}) must be longer than TOSS_TIMEOUT ({timeout})")]
    LeaseTooShort {
        /// The lease.
        lease: String,
        /// The Toss timeout.
        timeout: String,
    },
    /// A setting of the real Toss without its key.
    #[error("{0} needs TOSS_SECRET_KEY; without it the built-in sandbox takes Toss's place")]
    NeedsSecretKey(&'static str),
    /// Outside embedded mode nobody makes up a key.
    #[error("API_KEY is required when TOSS_SECRET_KEY is set and API_KEYS_FILE is not")]
    ApiKeyMissing,
}

impl Settings {
    /// Checks what single flags cannot, and takes empty values as unset (compose files make them).
    pub fn validated(self) -> Result<Self, SettingsError> {
        let settings = self.validated_without_operators()?;
        let has_keys = settings.api_key.is_some() || settings.api_keys_file.is_some();
        if !settings.is_embedded() && !has_keys {
            return Err(SettingsError::ApiKeyMissing);
        }
        Ok(settings)
    }

    /// The same for a command that serves nobody, and so needs no operators' key.
    pub fn validated_without_operators(mut self) -> Result<Self, SettingsError> {
        self.toss_secret_key = self
            .toss_secret_key
            .filter(|key| !key.expose_secret().is_empty());
        self.api_key = self.api_key.filter(|key| !key.expose_secret().is_empty());
        self.api_keys_file = self.api_keys_file.filter(|path| !path.is_empty());
        self.toss_client_key = self.toss_client_key.filter(|key| !key.is_empty());
        self.toss_base_url = self.toss_base_url.filter(|url| !url.is_empty());
        if self.confirm_lease <= self.toss_timeout {
            return Err(SettingsError::LeaseTooShort {
                lease: humantime::format_duration(self.confirm_lease).to_string(),
                timeout: humantime::format_duration(self.toss_timeout).to_string(),
            });
        }
        if self.is_embedded() {
            if self.toss_base_url.is_some() {
                return Err(SettingsError::NeedsSecretKey("TOSS_BASE_URL"));
            }
            if self.toss_client_key.is_some() {
                return Err(SettingsError::NeedsSecretKey("TOSS_CLIENT_KEY"));
            }
        }
        Ok(self)
    }

    /// Whether the built-in sandbox takes Toss's place.
    pub fn is_embedded(&self) -> bool {
        self.toss_secret_key.is_none()
    }

    /// Where webhooks may go.
    pub fn webhook_rules(&self) -> TargetRules {
        TargetRules {
            allow_private: self.webhook_allow_private.unwrap_or(self.is_embedded()),
        }
    }

    /// The payment's time limits.
    pub fn policy(&self) -> Policy {
        Policy {
            lease: self.confirm_lease,
            recovery_backoff: self.recovery_backoff,
            recovery_limit: self.recovery_limit,
            payment_expiry: self.payment_expiry,
            ..Policy::default()
        }
    }

    /// How fast due work is done.
    pub fn pace(&self) -> Pace {
        Pace {
            interval: self.recovery_interval,
            concurrency: self.recovery_concurrency,
        }
    }

    /// The database's settings.
    pub fn database(&self) -> DatabaseSettings {
        DatabaseSettings {
            pool_size: self.database_pool_size as usize,
            group_commit: self.group_commit == Switch::On,
            ..DatabaseSettings::new(self.database_url.clone())
        }
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write it like 500ms, 30s or 30m"))?;
    if parsed.is_zero() || parsed > Duration::from_hours(24 * 30) {
        return Err("must be above zero and at most 30 days".into());
    }
    Ok(parsed)
}

/// A date is midnight in Korea, where a merchant's day begins; anything else is RFC 3339.
fn parse_moment(text: &str) -> Result<Timestamp, String> {
    let text = match text.parse::<NaiveDate>() {
        Ok(date) => format!("{date}T00:00:00+09:00"),
        Err(_) => text.to_owned(),
    };
    DateTime::parse_from_rfc3339(&text)
        .map(|at| at.with_timezone(&Utc))
        .map_err(|error| format!("{error}; write it like 2026-11-22 or 2026-11-22T09:30:00+09:00"))
}

fn parse_database_url(text: &str) -> Result<DatabaseUrl, String> {
    DatabaseUrl::parse(text).map_err(|error| error.to_string())
}

#[expect(clippy::unnecessary_wraps, reason = "clap's parsers return a result")]
fn parse_secret(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(flags: &[&str]) -> Result<Settings, String> {
        let all = ["api-server"].iter().chain(flags);
        let cli = Cli::try_parse_from(all).map_err(|error| error.to_string())?;
        cli.settings.validated().map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.policy(), Policy::default());
        assert_eq!(settings.confirm_wait, Duration::from_secs(65));
        assert!(settings.is_embedded() && settings.rate_limit.is_none());
    }

    #[test]
    fn group_commit_can_be_turned_off() {
        assert!(settings(&[]).unwrap().database().group_commit);
        let off = settings(&["--group-commit", "off"]).unwrap();
        assert!(!off.database().group_commit);
    }

    #[test]
    fn a_file_of_keys_takes_the_place_of_the_one_key() {
        let live = ["--toss-secret-key", "test_sk_x", "--api-keys-file"];
        let settings = |path| settings(&[&live[..], &[path]].concat());
        let with = settings("keys").unwrap();
        assert!(with.api_key.is_none());
        assert_eq!(with.api_keys_file.as_deref(), Some("keys"));
        assert!(settings("").unwrap_err().contains("API_KEY is required"));
    }

    #[test]
    fn a_new_key_has_a_name_and_scopes() {
        let parse = |arguments: &[&str]| {
            let all = ["api-server", "key", "new"].iter().chain(arguments);
            Cli::try_parse_from(all).map_err(|error| error.to_string())
        };
        let cli = parse(&["--name", "ci", "--scopes", "read,refund"]).unwrap();
        let Some(Command::Key(KeyCommand::New(new))) = cli.command else {
            panic!("it is another command");
        };
        assert_eq!(
            (new.name.as_str(), new.scopes),
            ("ci", vec![Scope::Read, Scope::Refund])
        );
        for (wrong, part) in [
            (&["--name", "ci"][..], "--scopes"),
            (&["--scopes", "read"], "--name"),
            (&["--name", "c i", "--scopes", "read"], "1 to 64"),
            (&["--name", "default", "--scopes", "read"], "API_KEY"),
            (
                &["--name", "ci", "--scopes", "write"],
                "read, refund, admin",
            ),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains(part), "{wrong:?}: {error}");
        }
    }

    #[test]
    fn webhooks_go_to_private_networks_only_where_no_money_is_or_when_allowed() {
        let live = ["--toss-secret-key", "test_sk_x", "--api-key", "k"];
        let allowed = |flags: &[&str]| settings(flags).unwrap().webhook_rules().allow_private;
        assert!(allowed(&[]));
        assert!(!allowed(&["--webhook-allow-private", "false"]));
        assert!(!allowed(&live));
        let lax = [&live[..], &["--webhook-allow-private", "true"]].concat();
        assert!(allowed(&lax));
    }

    #[test]
    fn wrong_settings_are_named() {
        for (flags, part) in [
            (
                &["--confirm-lease", "60s"][..],
                "must be longer than TOSS_TIMEOUT",
            ),
            (
                &["--toss-base-url", "http://x"][..],
                "TOSS_BASE_URL needs TOSS_SECRET_KEY",
            ),
            (
                &["--toss-secret-key", "test_sk_x"][..],
                "API_KEY is required",
            ),
            (&["--recovery-interval", "0s"][..], "above zero"),
            (&["--toss-timeout", "fast"][..], "500ms, 30s or 30m"),
            (&["--database-url", "postgres://x"][..], "database"),
            (&["--listen", "nowhere"][..], "--listen"),
            (&["--database-pool-size", "0"][..], "1..=1000"),
            (&["--group-commit", "yes"][..], "on, off"),
            (&["--recovery-concurrency", "0"][..], "1..=1000"),
            (&["--recovery-concurrency", "1001"][..], "1..=1000"),
        ] {
            let error = settings(flags).unwrap_err();
            assert!(error.contains(part), "{flags:?}: {error}");
        }
    }

    #[test]
    fn a_date_is_midnight_in_korea() {
        let moment = |text: &str| parse_moment(text).map(|at| at.to_rfc3339());
        assert_eq!(moment("2026-11-22").unwrap(), "2026-11-21T15:00:00+00:00");
        let same = moment("2026-11-22T00:00:00+09:00").unwrap();
        assert_eq!(same, "2026-11-21T15:00:00+00:00");
        for wrong in ["yesterday", "2026-13-01", "2026-11-22T00:00:00"] {
            assert!(moment(wrong).unwrap_err().contains("2026-11-22"), "{wrong}");
        }
    }

    #[test]
    fn flags_may_follow_the_subcommand_and_secrets_never_show() {
        let flags = [
            "migrate",
            "--toss-secret-key",
            "test_sk_hidden",
            "--api-key",
            "operator-hidden",
        ];
        let settings = settings(&flags).unwrap();
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
