//! Settings of a sandbox, with the defaults for what Toss leaves undocumented.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// The client key of the default pair; clearly none of Toss's.
pub const DEFAULT_CLIENT_KEY: &str = "test_ck_sandbox00000000000000000000";

/// The secret key of the default pair; clearly none of Toss's.
pub const DEFAULT_SECRET_KEY: &str = "test_sk_sandbox00000000000000000000";

/// The client key of the default pair for widgets.
pub const DEFAULT_WIDGET_CLIENT_KEY: &str = "test_gck_sandbox00000000000000000000";

/// The secret key of the default pair for widgets.
pub const DEFAULT_WIDGET_SECRET_KEY: &str = "test_gsk_sandbox00000000000000000000";

/// The default security key.
pub const DEFAULT_SECURITY_KEY: &str =
    "5a5d0b0000000000000000000000000000000000000000000000000000000001";

/// Toss's API version, chosen per merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiVersion {
    /// 2022-11-16, to which widget keys are pinned.
    #[default]
    V2022_11_16,
    /// 2024-06-01: the Billing object has no `cardCompany` and `cardNumber`.
    V2024_06_01,
}

impl ApiVersion {
    /// As Toss prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V2022_11_16 => "2022-11-16",
            Self::V2024_06_01 => "2024-06-01",
        }
    }
}

impl std::str::FromStr for ApiVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "2022-11-16" => Ok(Self::V2022_11_16),
            "2024-06-01" => Ok(Self::V2024_06_01),
            other => Err(format!("`{other}` is neither 2022-11-16 nor 2024-06-01")),
        }
    }
}

/// What Toss leaves undocumented, or documents otherwise than it was seen to behave, with a
/// stated default each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknowns {
    /// Code for a partial cancel under escrow. Documented as `NOT_ALLOWED_PARTIAL_REFUND` (403),
    /// the default; seen as `FAILED_INTERNAL_SYSTEM_PROCESSING` (500).
    pub escrow_partial_cancel: String,
    /// Code for a customer key above 300 characters. Default `INVALID_CUSTOMER_KEY` (400); seen
    /// as `FAILED_DB_PROCESSING` (500).
    pub long_customer_key: String,
    /// Code for deleting a billing key twice; none is 200 again. Default
    /// `ALREADY_REMOVED_BILLING_KEY`.
    pub repeated_billing_removal: Option<String>,
    /// Code for a confirm of a payment that expired. Default `NOT_FOUND_PAYMENT_SESSION`.
    pub expired_confirm: String,
    /// Code for a confirm of a payment key that nobody was given. Default `NOT_FOUND_PAYMENT`.
    pub foreign_confirm: String,
    /// Code for calls beyond a rate limit, with status 429 if it is none of Toss's. Default
    /// `TOO_MANY_REQUESTS`.
    pub rate_limit: String,
    /// Texts of codes in place of the table's, in both languages: that of
    /// `IDEMPOTENT_REQUEST_PROCESSING` is not verified, that of a 429 not known. Default none.
    pub texts: BTreeMap<String, String>,
    /// Whether DELETE heeds `Idempotency-Key` as POST does. Default false.
    pub idempotent_deletes: bool,
    /// Whether the security key signs webhooks as its 64 hexadecimal characters instead of the 32
    /// bytes that they stand for. Default false: the bytes.
    pub hmac_key_as_text: bool,
}

impl Default for Unknowns {
    fn default() -> Self {
        Self {
            escrow_partial_cancel: "NOT_ALLOWED_PARTIAL_REFUND".to_owned(),
            long_customer_key: "INVALID_CUSTOMER_KEY".to_owned(),
            repeated_billing_removal: Some("ALREADY_REMOVED_BILLING_KEY".to_owned()),
            expired_confirm: "NOT_FOUND_PAYMENT_SESSION".to_owned(),
            foreign_confirm: "NOT_FOUND_PAYMENT".to_owned(),
            rate_limit: "TOO_MANY_REQUESTS".to_owned(),
            texts: BTreeMap::new(),
            idempotent_deletes: false,
            hmac_key_as_text: false,
        }
    }
}

/// Settings of a sandbox.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// The merchant's secret key; API calls must present it. Default [`DEFAULT_SECRET_KEY`].
    pub secret_key: String,
    /// The client key that pages pass to `TossPayments(…)`. Default [`DEFAULT_CLIENT_KEY`].
    pub client_key: String,
    /// The secret key of widgets. Default [`DEFAULT_WIDGET_SECRET_KEY`].
    pub widget_secret_key: String,
    /// The client key that pages pass for widgets. Default [`DEFAULT_WIDGET_CLIENT_KEY`].
    pub widget_client_key: String,
    /// The merchant's API version. Default 2022-11-16.
    pub api_version: ApiVersion,
    /// What Toss leaves open.
    pub unknowns: Unknowns,
    /// The security key, 64 hexadecimal characters: signs webhooks of payouts and sellers and
    /// encrypts their calls. Default [`DEFAULT_SECURITY_KEY`].
    pub security_key: String,
    /// The security key before the last: signs as well, as for seven days after a change at
    /// Toss. Default none.
    pub previous_security_key: Option<String>,
    /// Won on the merchant's account before anything is sold, for payouts. Default one billion.
    pub opening_balance: u64,
    /// Whether express payouts are refused outside of 8 to 15 o'clock in Korea, as at Toss.
    /// Default false, so that a test passes at night.
    pub payout_hours: bool,
    /// Where events are sent. Default none: no events. See
    /// [`Sandbox::send_webhooks_to`](crate::Sandbox::send_webhooks_to).
    pub webhook_url: Option<String>,
    /// By how much the times between attempts to send an event are divided (1, 4, 16 … 4096
    /// minutes at Toss). Default 1.
    pub webhook_time_scale: u32,
    /// Within which time an event must be answered. Default 10 seconds, as at Toss.
    pub webhook_timeout: Duration,
    /// Seed of keys, ids and drawn delays. Default 1.
    pub seed: u64,
    /// The merchant id shown in payments, at most 14 characters at Toss. Default `tosssandbox`.
    pub merchant_id: String,
    /// Where browsers reach the sandbox's pages, without a trailing slash: it stands in receipt
    /// links. Default: the address of the [`RunningSandbox`](crate::RunningSandbox), if any.
    pub public_url: Option<String>,
    /// Code for a confirm with another order's id (undocumented). Default `FORBIDDEN_REQUEST`.
    pub order_mismatch_code: String,
    /// Code for a confirm with another amount (undocumented). Default `INVALID_REQUEST`.
    pub amount_mismatch_code: String,
    /// Whether a 5xx is stored under its idempotency key and replayed like a 4xx (unmeasured).
    /// Default true, the less kind reading.
    pub replay_server_errors: bool,
    /// Whether a cancel's `amount` in the list of transactions is negative (undocumented).
    /// Default true.
    pub cancel_amounts_negative: bool,
    /// Most idempotency records held; the oldest make room. Default 200 000.
    pub idempotency_records_max: usize,
    /// Most API calls remembered; the oldest make room. Default 100 000.
    pub calls_max: usize,
    /// Worker threads of a [`RunningSandbox`](crate::RunningSandbox). Default 1.
    pub workers: usize,
    /// File in which every change is on disk before its answer leaves, and from which
    /// [`Sandbox::open`](crate::Sandbox::open) rebuilds the books. Default none: the books live
    /// as long as the process.
    pub journal: Option<PathBuf>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            secret_key: DEFAULT_SECRET_KEY.to_owned(),
            client_key: DEFAULT_CLIENT_KEY.to_owned(),
            widget_secret_key: DEFAULT_WIDGET_SECRET_KEY.to_owned(),
            widget_client_key: DEFAULT_WIDGET_CLIENT_KEY.to_owned(),
            api_version: ApiVersion::default(),
            unknowns: Unknowns::default(),
            security_key: DEFAULT_SECURITY_KEY.to_owned(),
            previous_security_key: None,
            opening_balance: 1_000_000_000,
            payout_hours: false,
            webhook_url: None,
            webhook_time_scale: 1,
            webhook_timeout: Duration::from_secs(10),
            seed: 1,
            merchant_id: "tosssandbox".to_owned(),
            public_url: None,
            order_mismatch_code: "FORBIDDEN_REQUEST".to_owned(),
            amount_mismatch_code: "INVALID_REQUEST".to_owned(),
            replay_server_errors: true,
            cancel_amounts_negative: true,
            idempotency_records_max: 200_000,
            calls_max: 100_000,
            workers: 1,
            journal: None,
        }
    }
}
