//! A server's line to the bank: loses, delays, doubles and refuses.

use std::sync::Arc;
use std::time::Duration;

use api_server::bridge::toss;
use async_trait::async_trait;
use kernel::{OrderId, PaymentKey};
use payment_domain::port::{CancelRequest, ConfirmRequest, GatewayAnswer, LookUp, PaymentGateway};
use tokio::sync::oneshot;
use toss_client::Rejection;
use toss_sandbox::engine::{Answer, Content};
use toss_sandbox::{Effect, Endpoint};

use crate::bank::{Call, carry, code_of};
use crate::plan::Mishap;
use crate::process::Process;
use crate::staff::BEING_RESOLVED;
use crate::terms::{Bank, TOSS_TIMEOUT};
use crate::world::{Side, World};

/// What the network and the bank do to one call.
#[derive(Debug, Clone, Default)]
struct Weather {
    /// The connection is refused.
    refused: bool,
    /// Milliseconds there; `None`: lost.
    there_ms: Option<u64>,
    /// Milliseconds back; `None`: lost.
    back_ms: Option<u64>,
    /// A second copy arrives so many milliseconds after the start.
    copy_ms: Option<u64>,
    /// Whether a loss shows at once, as a broken connection, or only by the time-out.
    breaks: bool,
    effect: Option<Effect>,
}

enum Heard {
    Refused,
    Nothing,
    Answer(Answer),
}

/// What an answer of the bank is.
enum Read {
    Payment(Box<toss_client::Payment>, String),
    Rejection(Rejection),
    Unreadable(String),
}

/// A process's gateway port.
pub(crate) struct Line {
    world: Arc<World>,
    process: Arc<Process>,
}

impl Line {
    pub(crate) fn new(world: &Arc<World>, process: &Arc<Process>) -> Self {
        Self {
            world: Arc::clone(world),
            process: Arc::clone(process),
        }
    }

    async fn ask(&self, call: Call) -> Heard {
        let world = &self.world;
        world.forbid_open_call();
        let name = match call.endpoint {
            Endpoint::Confirm => "confirm",
            Endpoint::Cancel => "cancel",
            _ => "look",
        };
        let approval = (call.endpoint == Endpoint::Confirm).then(|| self.process.approvals.enter());
        if let Some((running, _)) = &approval
            && *running > world.terms.calls_max
        {
            let room = world.terms.calls_max;
            world.convict(format!("{running} approvals under way where {room} may be"));
        }
        let inside = world.enter(name);
        world.point(&self.process, Side::Before, false).await;
        let weather = self.weather(&call);
        let heard = self.exchange(call, weather).await;
        world.point(&self.process, Side::After, false).await;
        drop(inside);
        drop(approval);
        heard
    }

    async fn exchange(&self, call: Call, weather: Weather) -> Heard {
        let world = &self.world;
        let Weather {
            refused,
            there_ms,
            back_ms,
            copy_ms,
            breaks,
            effect,
        } = weather;
        if refused {
            return Heard::Refused;
        }
        let ms = Duration::from_millis;
        if let Some(copy_ms) = copy_ms {
            let copy = carry(
                Arc::clone(world),
                call.clone(),
                None,
                ms(copy_ms),
                None,
                None,
            );
            world.disturb(ms(copy_ms));
            tokio::spawn(copy);
        }
        let (reply, answer) = oneshot::channel();
        match there_ms {
            Some(there_ms) => {
                let back = back_ms.map(ms);
                let work = carry(
                    Arc::clone(world),
                    call,
                    effect,
                    ms(there_ms),
                    back,
                    Some(reply),
                );
                tokio::spawn(work);
            }
            None => drop(reply),
        }
        match tokio::time::timeout(TOSS_TIMEOUT, answer).await {
            Ok(Ok(answer)) => Heard::Answer(answer),
            Ok(Err(_)) if breaks => Heard::Nothing,
            Ok(Err(_)) => {
                tokio::time::sleep(TOSS_TIMEOUT).await;
                Heard::Nothing
            }
            Err(_) => Heard::Nothing,
        }
    }

    fn weather(&self, call: &Call) -> Weather {
        let (world, id) = (&self.world, &call.order_id);
        let weather = match world.mishap() {
            Some(mishap) => self.scripted(call, mishap),
            None => self.drawn(call.endpoint),
        };
        let (name, endpoint) = (self.process.name(), call.endpoint);
        world.note(name, format_args!("sends {endpoint:?} {id}: {weather:?}"));
        if weather.effect == Some(Effect::WrongAmount) {
            world.mark(id, DISAGREES);
        }
        if !world.is_stormy() && world.mishap().is_none() {
            return weather;
        }
        if call.endpoint == Endpoint::Confirm && world.terms.bank == Bank::Late {
            self.hide(id, &weather);
        }
        let fair = weather.effect.is_none() && weather.copy_ms.is_none() && !weather.refused;
        if !fair || weather.there_ms.is_none() || weather.back_ms.is_none() {
            world.disturb(TOSS_TIMEOUT);
        }
        weather
    }

    /// While an approval is under way for longer than its sender waits, a late bank may deny the
    /// payment.
    fn hide(&self, order_id: &OrderId, weather: &Weather) {
        let late_ms = weather.there_ms.max(weather.copy_ms).unwrap_or(0);
        let late = Duration::from_millis(late_ms);
        if late > TOSS_TIMEOUT && self.world.chance(700) {
            self.world.deny(order_id, late);
            let who = self.process.name();
            self.world
                .note(who, format_args!("{order_id} is not visible for {late:?}"));
        }
    }

    fn drawn(&self, endpoint: Endpoint) -> Weather {
        let world = &self.world;
        let rates = world.rates();
        let mut weather = Weather {
            there_ms: Some(1 + world.below(30)),
            back_ms: Some(1 + world.below(30)),
            breaks: world.chance(500),
            ..Weather::default()
        };
        if world.chance(rates.network) {
            let delay_max_ms = world.terms.delay_max_ms;
            // A late bank's requests are late more often than anything else goes wrong.
            let kinds = if world.terms.bank == Bank::Late {
                11
            } else {
                7
            };
            let what = match world.below(kinds) {
                0 => {
                    weather.refused = true;
                    "connections to the bank refused"
                }
                1 => {
                    weather.there_ms = None;
                    "requests to the bank lost"
                }
                2 => {
                    weather.back_ms = None;
                    "answers of the bank lost"
                }
                3 | 7.. => {
                    weather.there_ms = Some(world.below(delay_max_ms));
                    "requests to the bank delayed"
                }
                4 => {
                    weather.back_ms = Some(world.below(12_000));
                    "answers of the bank delayed"
                }
                5 => {
                    weather.copy_ms = Some(world.below(30));
                    "requests to the bank doubled"
                }
                6 => {
                    weather.copy_ms = Some(world.below(delay_max_ms));
                    "requests to the bank doubled, the copy late"
                }
            };
            world.count(what);
        }
        // Refunds are few, and what goes wrong with them is rarely seen otherwise.
        let often = if endpoint == Endpoint::Cancel { 2 } else { 1 };
        if world.chance(rates.bank * often) {
            weather.effect = Some(self.drawn_effect(endpoint));
            world.count("errors and oddities of the bank");
        }
        if rates.network > 0 {
            let late = weather
                .there_ms
                .unwrap_or(0)
                .max(weather.back_ms.unwrap_or(0));
            world.disturb(Duration::from_millis(late));
        }
        weather
    }

    fn drawn_effect(&self, endpoint: Endpoint) -> Effect {
        let world = &self.world;
        if matches!(endpoint, Endpoint::Get | Endpoint::GetByOrder) {
            return match world.below(3) {
                0 => Effect::Html502 { executed: true },
                1 => error("FAILED_INTERNAL_SYSTEM_PROCESSING"),
                _ => Effect::ApproveThenReset,
            };
        }
        if endpoint == Endpoint::Cancel {
            return match world.below(7) {
                0 | 1 => error("UNAUTHORIZED_KEY"),
                2 => error("PROVIDER_ERROR"),
                3 => Effect::ApproveThenSilence,
                4 => Effect::ApproveThenError {
                    code: "FAILED_REFUND_PROCESS".to_owned(),
                },
                5 => Effect::Html502 { executed: true },
                _ => Effect::SilenceWithoutApproval,
            };
        }
        match world.below(14) {
            0 => error("REJECT_CARD_PAYMENT"),
            1 | 2 => error("PROVIDER_ERROR"),
            3 => error("FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING"),
            4 => Effect::ApproveThenError {
                code: "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING".to_owned(),
            },
            5 => Effect::ApproveThenSilence,
            6 => Effect::ApproveThenReset,
            7 => Effect::SilenceWithoutApproval,
            8 => Effect::Html502 { executed: true },
            9 => Effect::Html502 { executed: false },
            10 => error("UNAUTHORIZED_KEY"),
            _ => Effect::WrongAmount,
        }
    }

    /// The first approval of a script meets its mishap; everything else goes well.
    fn scripted(&self, call: &Call, mishap: Mishap) -> Weather {
        let (world, id) = (&self.world, &call.order_id);
        let mut weather = Weather {
            there_ms: Some(10),
            back_ms: Some(10),
            breaks: true,
            ..Weather::default()
        };
        let struck = if mishap.is_of_a_cancel() {
            Endpoint::Cancel
        } else {
            Endpoint::Confirm
        };
        if call.endpoint != struck || world.is_marked(id, "met its mishap") {
            return weather;
        }
        world.mark(id, "met its mishap");
        match mishap {
            Mishap::Refused => weather.refused = true,
            Mishap::RequestLost | Mishap::RefundLost => weather.there_ms = None,
            Mishap::AnswerLost | Mishap::RefundAnswerLost => weather.back_ms = None,
            Mishap::AnswerLostAndLate => {
                weather.back_ms = None;
                world.mark(id, BLIND);
            }
            Mishap::RequestLate => weather.there_ms = Some(20_000),
            Mishap::Doubled => weather.copy_ms = Some(12),
            Mishap::Declined => weather.effect = Some(error("REJECT_CARD_PAYMENT")),
            Mishap::Unclear | Mishap::RefundUnclear => {
                weather.effect = Some(error("PROVIDER_ERROR"));
            }
            Mishap::UnclearAndApproved | Mishap::RefundUnclearAndDone => {
                weather.effect = Some(Effect::ApproveThenError {
                    code: "PROVIDER_ERROR".to_owned(),
                });
            }
            Mishap::HtmlAndApproved => weather.effect = Some(Effect::Html502 { executed: true }),
            Mishap::Configuration => weather.effect = Some(error("UNAUTHORIZED_KEY")),
            Mishap::WrongAmount => weather.effect = Some(Effect::WrongAmount),
            Mishap::None
            | Mishap::Tampered
            | Mishap::StockShort
            | Mishap::DatabaseError
            | Mishap::Refund => {}
        }
        weather
    }

    /// Right after an approval whose answer was lost, one look may still find nothing.
    fn is_blind(&self, order_id: &OrderId, endpoint: Endpoint) -> bool {
        let world = &self.world;
        if world.is_marked(order_id, BEING_RESOLVED) {
            return false;
        }
        if world.is_denied(order_id) && world.bank.row(order_id).approvals == 0 {
            world.note("bank", format_args!("{order_id}: denied"));
            world.count("payments denied by the bank that it approved later");
            return true;
        }
        if world.chance(world.rates().bank / 3) {
            world.mark(order_id, BLIND);
        }
        let used = match endpoint {
            Endpoint::Get => "blind by key",
            _ => "blind by order",
        };
        if !world.is_marked(order_id, BLIND) || world.is_marked(order_id, used) {
            return false;
        }
        if endpoint != Endpoint::Get && !world.is_marked(order_id, "blind by key") {
            return false;
        }
        world.mark(order_id, used);
        world.note("bank", format_args!("{order_id}: not visible yet"));
        world.count("payments that one look did not find");
        true
    }

    async fn look(&self, endpoint: Endpoint, order_id: OrderId, subject: String) -> LookUp {
        if self.is_blind(&order_id, endpoint) {
            return LookUp::Absent;
        }
        let call = Call {
            endpoint,
            order_id,
            subject,
            body: String::new(),
            key: None,
        };
        match self.ask(call).await {
            Heard::Refused => unavailable("no connection"),
            Heard::Nothing => unavailable("no answer in time"),
            Heard::Answer(answer) => match read(endpoint, &answer) {
                Read::Payment(payment, _) => LookUp::Found(Box::new(toss::payment(&payment))),
                Read::Rejection(rejection) if rejection.status == 404 => LookUp::Absent,
                Read::Rejection(rejection) => unavailable(rejection.code.as_str()),
                Read::Unreadable(reason) => unavailable(&reason),
            },
        }
    }

    async fn act(&self, call: Call) -> GatewayAnswer {
        let endpoint = call.endpoint;
        match self.ask(call).await {
            Heard::Refused => GatewayAnswer::NotSent {
                reason: "no connection".to_owned(),
            },
            Heard::Nothing => GatewayAnswer::Unknown {
                reason: "no answer in time".to_owned(),
            },
            Heard::Answer(answer) => match read(endpoint, &answer) {
                Read::Payment(payment, trace_id) => GatewayAnswer::Done {
                    payment: Box::new(toss::payment(&payment)),
                    trace_id: Some(trace_id),
                },
                Read::Rejection(rejection) => GatewayAnswer::Rejected(toss::rejected(&rejection)),
                Read::Unreadable(reason) => GatewayAnswer::Unknown { reason },
            },
        }
    }
}

/// The mark of an order whose approval once showed another amount.
pub(crate) const DISAGREES: &str = "shown with another amount";
/// The mark of an order that one look does not find.
const BLIND: &str = "not visible at once";

fn error(code: &str) -> Effect {
    Effect::Error {
        code: code.to_owned(),
    }
}

fn unavailable(reason: &str) -> LookUp {
    LookUp::Unavailable {
        reason: reason.to_owned(),
    }
}

fn read(endpoint: Endpoint, answer: &Answer) -> Read {
    if answer.content != Content::Json {
        return Read::Unreadable("not JSON".to_owned());
    }
    if answer.status == 200 {
        return match serde_json::from_str(&answer.body) {
            Ok(payment) => Read::Payment(Box::new(payment), answer.trace_id.clone()),
            Err(error) => Read::Unreadable(error.to_string()),
        };
    }
    let endpoint = if endpoint == Endpoint::Confirm {
        toss_client::Endpoint::ConfirmPayment
    } else if endpoint == Endpoint::Cancel {
        toss_client::Endpoint::CancelPayment
    } else {
        toss_client::Endpoint::GetPayment
    };
    let code = code_of(&answer.body);
    let mut rejection = Rejection::new(endpoint, answer.status, &code, "");
    rejection.trace_id = Some(answer.trace_id.clone());
    Read::Rejection(rejection)
}

#[async_trait]
impl PaymentGateway for Line {
    async fn is_back(&self) -> bool {
        false
    }

    async fn confirm(&self, request: &ConfirmRequest) -> GatewayAnswer {
        let body = serde_json::json!({
            "paymentKey": request.payment_key.as_str(),
            "orderId": request.order_id.as_str(),
            "amount": request.amount.won(),
        });
        self.act(Call {
            endpoint: Endpoint::Confirm,
            order_id: request.order_id.clone(),
            subject: String::new(),
            body: body.to_string(),
            key: Some(request.key.as_str().to_owned()),
        })
        .await
    }

    async fn cancel(&self, request: &CancelRequest) -> GatewayAnswer {
        let mut body = serde_json::json!({ "cancelReason": request.reason });
        if let Some(part) = request.part {
            body["cancelAmount"] = part.amount.won().into();
            body["refundableAmount"] = part.balance.won().into();
        }
        self.act(Call {
            endpoint: Endpoint::Cancel,
            order_id: request.order_id.clone(),
            subject: request.payment_key.as_str().to_owned(),
            body: body.to_string(),
            key: Some(request.key.as_str().to_owned()),
        })
        .await
    }

    async fn look_up(&self, payment_key: &PaymentKey) -> LookUp {
        let order_id = self.world.order_of_key(payment_key);
        self.look(Endpoint::Get, order_id, payment_key.as_str().to_owned())
            .await
    }

    async fn look_up_order(&self, order_id: &OrderId) -> LookUp {
        self.look(
            Endpoint::GetByOrder,
            order_id.clone(),
            order_id.as_str().to_owned(),
        )
        .await
    }
}
