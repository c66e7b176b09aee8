//! Settings of a sandbox, with the defaults for what Toss leaves undocumented.

use std::path::PathBuf;

/// The client key of the default pair; clearly none of Toss's.
pub const DEFAULT_CLIENT_KEY: &str = "test_ck_sandbox00000000000000000000";

/// The secret key of the default pair; clearly none of Toss's.
pub const DEFAULT_SECRET_KEY: &str = "test_sk_sandbox00000000000000000000";

/// Settings of a sandbox.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// The merchant's secret key; API calls must present it. Default [`DEFAULT_SECRET_KEY`].
    pub secret_key: String,
    /// The client key that pages pass to `TossPayments(…)`. Default [`DEFAULT_CLIENT_KEY`].
    pub client_key: String,
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
