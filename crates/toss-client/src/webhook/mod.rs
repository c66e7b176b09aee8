//! Webhooks, and what may be believed of them.
//!
//! Toss signs two kinds of events, sends a shared secret with two others, and for the rest anyone
//! who knows the address can write one. So [`Verifier::parse`] hands out either a [`Verified`]
//! event or an [`Unverified`] one, whose content cannot be reached: it becomes [`Verified`] by
//! the secret that came with the payment, or it says what to ask Toss for.
//!
//! ```
//! # use toss_client::webhook::{Received, Verifier};
//! # fn handle(body: &[u8], headers: &http::HeaderMap) -> Result<(), Box<dyn std::error::Error>> {
//! # let stored_secret = Some("ps_1");
//! let delivery = Verifier::new([]).parse(body, headers)?;
//! // Delivered at least once: drop what has been handled, by `delivery.id`.
//! match delivery.received {
//!     Received::Verified(verified) => println!("{:?}", verified.event()),
//!     Received::Unverified(hint) => match hint.with_secret(stored_secret) {
//!         Ok(verified) => println!("{:?}", verified.event()),
//!         Err(hint) => println!("ask Toss about order {:?}", hint.order_id()),
//!     },
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Answer 200 within ten seconds, also to what was refused or is not known: anything else is sent
//! again, up to seven times over almost four days (documented).

mod event;
mod signature;

use http::HeaderMap;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

pub use event::{DepositCallback, Event};
pub use signature::{KeyEncoding, Signer};

use crate::{Answer, Error, Payment, SecurityKey, Sensitive, Timestamp, TossClient};

const ID_HEADER: &str = "tosspayments-webhook-transmission-id";
const TIME_HEADER: &str = "tosspayments-webhook-transmission-time";
const RETRIED_HEADER: &str = "tosspayments-webhook-transmission-retried-count";
const SIGNATURE_HEADER: &str = "tosspayments-webhook-signature";
/// A Payment has a few kilobytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Reads webhooks, and checks signatures with the merchant's security keys.
#[derive(Debug, Clone, Default)]
pub struct Verifier {
    keys: Vec<SecurityKey>,
}

/// One delivery of one event.
#[derive(Debug)]
#[non_exhaustive]
pub struct Delivery {
    /// `whtrans_…`: the same for every repetition of one event, so the key to dedupe by.
    pub id: Option<String>,
    /// When this repetition was sent.
    pub sent_at: Option<Timestamp>,
    /// How often it was sent before.
    pub retried: Option<u32>,
    /// The event and its trust.
    pub received: Received,
}

/// An event and whether it can be believed.
#[derive(Debug)]
pub enum Received {
    /// Toss signed it.
    Verified(Verified),
    /// Anyone could have written it.
    Unverified(Unverified),
}

/// An event that came from Toss. Only this module makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    event: Event,
    proof: Proof,
}

/// How it is known that an event came from Toss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// The signature over body and time is Toss's.
    Signature,
    /// It holds the secret that came with the payment.
    Secret,
}

/// An event that anyone could have written. Its content stays closed; what it claims to be about
/// can be read, to ask Toss.
#[derive(Debug, Clone, PartialEq)]
pub struct Unverified {
    event: Event,
}

/// Why a delivery cannot be taken. Holds nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWebhook {
    /// The body is no JSON object, or larger than 1 MiB.
    #[error("the body is no JSON object")]
    Body,
    /// A signature is there and none of it is Toss's: forged, or the security key is another.
    #[error("the signature is not one of the security keys")]
    Signature,
}

impl Verifier {
    /// Checks with these keys: two while one is being replaced, none if no signed events are
    /// subscribed to. Without a key, signed events are [`Unverified`].
    pub fn new(keys: impl IntoIterator<Item = SecurityKey>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
        }
    }

    /// Reads one delivery: the body exactly as it came, and its headers.
    ///
    /// # Errors
    /// [`InvalidWebhook`]. An event of an unknown kind is none: it is [`Event::Other`].
    pub fn parse(&self, body: &[u8], headers: &HeaderMap) -> Result<Delivery, InvalidWebhook> {
        if body.len() > BODY_BYTES_MAX {
            return Err(InvalidWebhook::Body);
        }
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let time = header(TIME_HEADER);
        let signed = match header(SIGNATURE_HEADER) {
            Some(signature) if !self.keys.is_empty() => {
                let time = time.unwrap_or_default();
                if !signature::matches(&self.keys, signature, body, time) {
                    return Err(InvalidWebhook::Signature);
                }
                true
            }
            _ => false,
        };
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
            return Err(InvalidWebhook::Body);
        };
        let event = Event::read(fields);
        let received = if signed {
            let proof = Proof::Signature;
            Received::Verified(Verified { event, proof })
        } else {
            Received::Unverified(Unverified { event })
        };
        Ok(Delivery {
            id: header(ID_HEADER).map(str::to_owned),
            sent_at: time.map(Timestamp::new),
            retried: header(RETRIED_HEADER).and_then(|text| text.parse().ok()),
            received,
        })
    }
}

impl Verified {
    /// The event.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The event.
    pub fn into_event(self) -> Event {
        self.event
    }

    /// How it is known that it came from Toss.
    pub fn proof(&self) -> Proof {
        self.proof
    }
}

impl Unverified {
    /// What the event claims to be, as Toss spells it; `DEPOSIT_CALLBACK` has no name on the wire.
    pub fn event_type(&self) -> &str {
        self.event.event_type()
    }

    /// The payment it claims to be about.
    pub fn payment_key(&self) -> Option<&str> {
        self.event.payment_key()
    }

    /// The order it claims to be about.
    pub fn order_id(&self) -> Option<&str> {
        self.event.order_id()
    }

    /// The payout or seller it claims to be about, to ask with `payout` or `seller`.
    pub fn entity_id(&self) -> Option<&str> {
        match &self.event {
            Event::PayoutChanged(fields) | Event::SellerChanged(fields) => fields.text("id"),
            _ => None,
        }
    }

    /// The brandpay customer it claims to be about, to ask with `brandpay_methods_of`.
    pub fn customer_key(&self) -> Option<&str> {
        match &self.event {
            Event::MethodUpdated(fields) | Event::CustomerStatusChanged(fields) => {
                fields.text("customerKey")
            }
            _ => None,
        }
    }

    /// The billing key that it claims is deleted. Toss has no call that tells; the next charge does
    /// (`ALREADY_REMOVED_BILLING_KEY`), so do not forget the key because of this event.
    pub fn billing_key(&self) -> Option<Sensitive> {
        match &self.event {
            Event::BillingDeleted(fields) => fields.text("billingKey").map(Sensitive::new),
            _ => None,
        }
    }

    /// Compares, in constant time, the secret in the event with the one that was stored when the
    /// payment was confirmed.
    ///
    /// # Errors
    /// The same event if none is stored, the event holds none, or they differ.
    pub fn with_secret(self, stored: Option<&str>) -> Result<Verified, Box<Self>> {
        let same = match (self.event.secret(), stored) {
            (Some(sent), Some(stored)) if !stored.is_empty() => {
                bool::from(sent.as_bytes().ct_eq(stored.as_bytes()))
            }
            _ => false,
        };
        if same {
            Ok(Verified {
                event: self.event,
                proof: Proof::Secret,
            })
        } else {
            Err(Box::new(self))
        }
    }

    /// Asks Toss for the payment that the event claims to be about: what Toss answers is the
    /// truth, whatever the event says. `None` if it names no payment and no order.
    ///
    /// # Errors
    /// As for [`TossClient::payment`]; `NOT_FOUND_PAYMENT` means that the event is forged or of
    /// another merchant id.
    pub async fn requery(&self, client: &TossClient) -> Result<Option<Answer<Payment>>, Error> {
        match (self.payment_key(), self.order_id()) {
            (Some(key), _) => client.payment(key).await.map(Some),
            (None, Some(order)) => client.payment_by_order(order).await.map(Some),
            (None, None) => Ok(None),
        }
    }
}
