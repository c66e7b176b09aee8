//! What Toss leaves open, as flags of the program: each has the stated default of
//! [`SandboxConfig`] and [`Unknowns`].

use clap::Args;
use toss_sandbox::{SandboxConfig, Unknowns};

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[command(next_help_heading = "What Toss leaves open")]
pub(crate) struct Assumptions {
    /// Code for a confirm with another order's id [default: `FORBIDDEN_REQUEST`].
    #[arg(long, env = "SANDBOX_ORDER_MISMATCH_CODE", value_name = "CODE")]
    order_mismatch_code: Option<String>,
    /// Code for a confirm with another amount [default: `INVALID_REQUEST`].
    #[arg(long, env = "SANDBOX_AMOUNT_MISMATCH_CODE", value_name = "CODE")]
    amount_mismatch_code: Option<String>,
    /// Code for a confirm of a payment that expired [default: `NOT_FOUND_PAYMENT_SESSION`].
    #[arg(long, env = "SANDBOX_EXPIRED_CONFIRM_CODE", value_name = "CODE")]
    expired_confirm_code: Option<String>,
    /// Code for a confirm of a payment that nobody opened [default: `NOT_FOUND_PAYMENT`].
    #[arg(long, env = "SANDBOX_FOREIGN_CONFIRM_CODE", value_name = "CODE")]
    foreign_confirm_code: Option<String>,
    /// Code for a partial cancel under escrow [default: `NOT_ALLOWED_PARTIAL_REFUND`].
    #[arg(long, env = "SANDBOX_ESCROW_CANCEL_CODE", value_name = "CODE")]
    escrow_cancel_code: Option<String>,
    /// Code for a customer key above 300 characters [default: `INVALID_CUSTOMER_KEY`].
    #[arg(long, env = "SANDBOX_LONG_CUSTOMER_KEY_CODE", value_name = "CODE")]
    long_customer_key_code: Option<String>,
    /// Code for deleting a billing key twice, or `OK` [default: `ALREADY_REMOVED_BILLING_KEY`].
    #[arg(long, env = "SANDBOX_REPEATED_REMOVAL_CODE", value_name = "CODE")]
    repeated_removal_code: Option<String>,
    /// Code beyond a rate limit; 429 if it is none of Toss's [default: `TOO_MANY_REQUESTS`].
    #[arg(long, env = "SANDBOX_RATE_LIMIT_CODE", value_name = "CODE")]
    rate_limit_code: Option<String>,
    /// The text of a code, in place of the table's; may be given several times.
    #[arg(long = "text", value_name = "CODE=TEXT", value_parser = text)]
    texts: Vec<(String, String)>,
    /// DELETE heeds `Idempotency-Key` as POST does.
    #[arg(long, env = "SANDBOX_IDEMPOTENT_DELETES")]
    idempotent_deletes: bool,
    /// A 5xx is not stored under its idempotency key.
    #[arg(long, env = "SANDBOX_FORGET_SERVER_ERRORS")]
    forget_server_errors: bool,
    /// Amounts of cancels in the list of transactions are positive.
    #[arg(long, env = "SANDBOX_POSITIVE_CANCEL_AMOUNTS")]
    positive_cancel_amounts: bool,
    /// The security key signs as text instead of as the bytes that it stands for.
    #[arg(long, env = "SANDBOX_HMAC_KEY_AS_TEXT")]
    hmac_key_as_text: bool,
}

fn text(argument: &str) -> Result<(String, String), String> {
    let (code, text) = argument
        .split_once('=')
        .ok_or("it has the form CODE=TEXT")?;
    Ok((code.to_owned(), text.to_owned()))
}

impl Assumptions {
    /// The same settings with these assumptions.
    pub(crate) fn applied_to(self, config: SandboxConfig) -> SandboxConfig {
        let stated = config.unknowns;
        let unknowns = Unknowns {
            escrow_partial_cancel: self
                .escrow_cancel_code
                .unwrap_or(stated.escrow_partial_cancel),
            long_customer_key: self
                .long_customer_key_code
                .unwrap_or(stated.long_customer_key),
            repeated_billing_removal: match self.repeated_removal_code {
                None => stated.repeated_billing_removal,
                Some(code) if code == "OK" => None,
                Some(code) => Some(code),
            },
            expired_confirm: self.expired_confirm_code.unwrap_or(stated.expired_confirm),
            foreign_confirm: self.foreign_confirm_code.unwrap_or(stated.foreign_confirm),
            rate_limit: self.rate_limit_code.unwrap_or(stated.rate_limit),
            texts: self.texts.into_iter().collect(),
            idempotent_deletes: self.idempotent_deletes,
            hmac_key_as_text: self.hmac_key_as_text,
        };
        SandboxConfig {
            order_mismatch_code: self
                .order_mismatch_code
                .unwrap_or(config.order_mismatch_code),
            amount_mismatch_code: self
                .amount_mismatch_code
                .unwrap_or(config.amount_mismatch_code),
            replay_server_errors: !self.forget_server_errors,
            cancel_amounts_negative: !self.positive_cancel_amounts,
            unknowns,
            ..config
        }
    }
}
