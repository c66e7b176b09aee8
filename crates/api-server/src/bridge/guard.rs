//! What stands between us and a Toss that is down: a limit of calls at once and a circuit breaker.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use kernel::{OrderId, PaymentKey};
use payment_domain::port::{CancelRequest, ConfirmRequest, GatewayAnswer, LookUp, PaymentGateway};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// When the breaker opens and closes.
#[derive(Debug, Clone, Copy)]
pub struct BreakerSettings {
    /// The window over which calls are counted.
    pub window: Duration,
    /// Calls without any answer in one window, from which on the breaker may open.
    pub silent_min: u32,
    /// How long it stays open before one call may try.
    pub pause: Duration,
    /// A silence that lasts this long puts undecided payments into long pauses; its end is told.
    pub long_silence: Duration,
}

impl BreakerSettings {
    /// The default limits for a server whose leases are this long. Pauses double, so the longest is
    /// about twice as long as the silence before it; a silence of a quarter of a lease is too short
    /// for pauses that are longer than a lease.
    pub fn for_lease(lease: Duration) -> Self {
        Self {
            long_silence: lease / 4,
            ..Self::default()
        }
    }
}

impl Default for BreakerSettings {
    /// Twenty unanswered calls within ten seconds, at least half of all calls, open it for two.
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            silent_min: 20,
            pause: Duration::from_secs(2),
            long_silence: Duration::from_secs(22),
        }
    }
}

/// How long Toss may take to answer the question whether it answers again.
const PROBE_MAX: Duration = Duration::from_secs(3);
/// An order that no shop has, to ask Toss about.
const NO_ORDER: &str = "are-you-there";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    /// No confirm is begun until then; the next one after it is the probe.
    Open {
        until: Instant,
    },
    /// One probe is out; its answer decides. A probe that is never heard of frees the next one.
    Probing {
        until: Instant,
    },
}

struct Breaker {
    state: State,
    window_began: Instant,
    answered: u32,
    silent: u32,
    /// Since when no call was answered.
    silent_since: Option<Instant>,
    /// Whether any call was answered since the start; payments may be waiting from before it.
    was_heard: bool,
    /// Toss answers again after a long silence, and nobody has been told yet.
    is_back: bool,
}

impl Breaker {
    fn was_silent_for(&self, long: Duration, now: Instant) -> bool {
        self.silent_since
            .is_some_and(|since| now.duration_since(since) >= long)
    }
}

/// A gateway that admits no confirm while Toss is silent or has all the calls it may have at once.
/// Looks and cancels always go through: they are how the truth is found.
pub struct GuardedGateway<G> {
    inner: G,
    room: Semaphore,
    settings: BreakerSettings,
    breaker: Mutex<Breaker>,
}

impl<G> GuardedGateway<G> {
    /// Guards `inner`: at most `calls_max` calls at once, and a breaker.
    pub fn new(inner: G, calls_max: usize, settings: BreakerSettings) -> Self {
        let breaker = Breaker {
            state: State::Closed,
            window_began: Instant::now(),
            answered: 0,
            silent: 0,
            silent_since: None,
            was_heard: false,
            is_back: false,
        };
        let room = Semaphore::new(calls_max.min(Semaphore::MAX_PERMITS));
        Self {
            inner,
            room,
            settings,
            breaker: Mutex::new(breaker),
        }
    }

    /// Whether the breaker is closed: Toss answers, or nothing is known to the contrary.
    pub fn is_closed(&self) -> bool {
        self.breaker().state == State::Closed
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, answered: bool) {
        let now = Instant::now();
        let mut breaker = self.breaker();
        if now.duration_since(breaker.window_began) > self.settings.window {
            (breaker.window_began, breaker.answered, breaker.silent) = (now, 0, 0);
        }
        if answered {
            breaker.answered = breaker.answered.saturating_add(1);
            if !breaker.was_heard || breaker.was_silent_for(self.settings.long_silence, now) {
                breaker.is_back = true;
            }
            (breaker.was_heard, breaker.silent_since) = (true, None);
            if breaker.state != State::Closed {
                tracing::warn!("Toss answers again: confirms are taken");
                (breaker.state, breaker.silent) = (State::Closed, 0);
            }
            return;
        }
        breaker.silent = breaker.silent.saturating_add(1);
        breaker.silent_since.get_or_insert(now);
        let many = breaker.silent >= self.settings.silent_min && breaker.silent >= breaker.answered;
        match breaker.state {
            State::Closed if many => {
                tracing::error!(
                    silent = breaker.silent,
                    "Toss does not answer: confirms are refused for a while"
                );
                breaker.state = State::Open {
                    until: now + self.settings.pause,
                };
            }
            State::Probing { .. } => {
                breaker.state = State::Open {
                    until: now + self.settings.pause,
                }
            }
            State::Closed | State::Open { .. } => {}
        }
    }

    /// Whether the breaker lets a confirm begin; the one that finds the pause over is the probe.
    fn closed_or_probe(&self) -> bool {
        let now = Instant::now();
        let mut breaker = self.breaker();
        match breaker.state {
            State::Closed => true,
            State::Open { until } | State::Probing { until } if now >= until => {
                breaker.state = State::Probing {
                    until: now + self.settings.pause,
                };
                true
            }
            State::Open { .. } | State::Probing { .. } => false,
        }
    }
}

fn heard(answer: &GatewayAnswer) -> bool {
    match answer {
        GatewayAnswer::Done { .. } | GatewayAnswer::Rejected(_) => true,
        GatewayAnswer::Unknown { .. } | GatewayAnswer::NotSent { .. } => false,
    }
}

fn seen(answer: &LookUp) -> bool {
    match answer {
        LookUp::Found(_) | LookUp::Absent => true,
        LookUp::Unavailable { .. } => false,
    }
}

#[async_trait]
impl<G: PaymentGateway> PaymentGateway for GuardedGateway<G> {
    fn admits(&self) -> bool {
        self.room.available_permits() > 0 && self.closed_or_probe() && self.inner.admits()
    }

    async fn is_back(&self) -> bool {
        let long = self.settings.long_silence;
        let is_silent = self.breaker().was_silent_for(long, Instant::now());
        if is_silent && let Ok(nobody) = NO_ORDER.parse::<OrderId>() {
            // Toss does not know the order, and saying so is an answer.
            let question = self.look_up_order(&nobody);
            drop(tokio::time::timeout(PROBE_MAX, question).await);
        }
        std::mem::take(&mut self.breaker().is_back)
    }

    async fn confirm(&self, request: &ConfirmRequest) -> GatewayAnswer {
        let Ok(_permit) = self.room.try_acquire() else {
            return GatewayAnswer::NotSent {
                reason: "too many calls to Toss at once".into(),
            };
        };
        let answer = self.inner.confirm(request).await;
        self.note(heard(&answer));
        answer
    }

    async fn cancel(&self, request: &CancelRequest) -> GatewayAnswer {
        let answer = self.inner.cancel(request).await;
        self.note(heard(&answer));
        answer
    }

    async fn look_up(&self, payment_key: &PaymentKey) -> LookUp {
        let answer = self.inner.look_up(payment_key).await;
        self.note(seen(&answer));
        answer
    }

    async fn look_up_order(&self, order_id: &OrderId) -> LookUp {
        let answer = self.inner.look_up_order(order_id).await;
        self.note(seen(&answer));
        answer
    }
}

#[cfg(test)]
mod tests {
    use kernel::Money;
    use payment_domain::model::AttemptKey;
    use payment_domain::port::{GatewayRejection, RejectionKind};
    use payment_domain::testing::{ScriptedGateway, order_id, payment_key};

    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings {
        window: Duration::from_secs(10),
        silent_min: 3,
        pause: Duration::from_secs(2),
        long_silence: Duration::from_secs(20),
    };

    fn guarded() -> GuardedGateway<ScriptedGateway> {
        GuardedGateway::new(ScriptedGateway::new(), 10, SETTINGS)
    }

    fn request() -> ConfirmRequest {
        let order_id = order_id("order-000001");
        let key = AttemptKey::new(&order_id, 1);
        ConfirmRequest {
            order_id,
            payment_key: payment_key("k"),
            amount: Money::ZERO,
            key,
        }
    }

    fn rejection() -> GatewayAnswer {
        GatewayAnswer::Rejected(GatewayRejection {
            kind: RejectionKind::Declined,
            code: "REJECT_CARD_PAYMENT".into(),
            message: String::new(),
            trace_id: None,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn silence_opens_the_breaker_and_one_probe_at_a_time_may_close_it() {
        let gateway = guarded();
        for _ in 0..3 {
            assert!(gateway.admits());
            gateway.confirm(&request()).await;
        }
        assert!(!gateway.admits(), "three silent calls open it");

        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(gateway.admits(), "the probe");
        assert!(!gateway.admits(), "one at a time");
        gateway.confirm(&request()).await;
        assert!(!gateway.admits(), "a silent probe keeps it open");

        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(gateway.admits());
        gateway.inner.on_confirm(rejection());
        gateway.confirm(&request()).await;
        assert!(
            gateway.admits() && gateway.admits(),
            "any answer closes it, also a refusal"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_probe_frees_the_next_one() {
        let gateway = guarded();
        for _ in 0..3 {
            gateway.confirm(&request()).await;
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(gateway.admits());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(gateway.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn few_silent_calls_among_many_answers_do_not_open_it() {
        let gateway = guarded();
        for _ in 0..10 {
            gateway.inner.on_confirm(rejection());
            gateway.confirm(&request()).await;
        }
        for _ in 0..9 {
            gateway.confirm(&request()).await;
            assert!(gateway.admits());
        }
    }

    #[tokio::test]
    async fn without_room_nothing_is_admitted_or_sent() {
        let gateway = GuardedGateway::new(ScriptedGateway::new(), 0, SETTINGS);
        assert!(!gateway.admits());
        assert!(matches!(
            gateway.confirm(&request()).await,
            GatewayAnswer::NotSent { .. }
        ));
        assert!(gateway.inner.calls().is_empty());
    }

    fn look_ups(gateway: &GuardedGateway<ScriptedGateway>) -> usize {
        gateway.inner.calls().len()
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_long_silence_is_found_out_and_told_once() {
        let gateway = guarded();
        gateway.look_up_order(&order_id("order-000001")).await;
        assert!(!gateway.is_back().await);
        assert_eq!(look_ups(&gateway), 1, "a short silence is not asked about");

        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(!gateway.is_back().await);
        assert_eq!(look_ups(&gateway), 2, "a long one is");

        gateway.inner.on_order_look(LookUp::Absent);
        assert!(gateway.is_back().await, "any answer ends it");
        assert!(!gateway.is_back().await, "told once");
        assert_eq!(look_ups(&gateway), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_answer_after_the_start_is_told_and_a_short_silence_is_not() {
        let gateway = guarded();
        let order = order_id("order-000001");
        assert!(!gateway.is_back().await, "nothing was heard yet");
        gateway.inner.on_order_look(LookUp::Absent);
        gateway.look_up_order(&order).await;
        assert!(gateway.is_back().await);

        gateway.look_up_order(&order).await;
        tokio::time::advance(Duration::from_secs(19)).await;
        gateway.inner.on_order_look(LookUp::Absent);
        gateway.look_up_order(&order).await;
        assert!(!gateway.is_back().await);
    }
}
