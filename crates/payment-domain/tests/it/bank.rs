//! A small Toss with a memory: it approves a payment key once, binds what it answered to the
//! idempotency key, and can be told to lose answers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use kernel::{Money, OrderId, PaymentKey};
use payment_domain::model::{GatewayPayment, GatewayStatus, Payment};
use payment_domain::port::{
    CancelRequest, ConfirmRequest, GatewayAnswer, LookUp, PaymentGateway, RejectionKind,
};
use payment_domain::testing::gateway_status;

use crate::shop::{done, found, lost, rejected, won};

/// What goes wrong with one confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// Nothing.
    None,
    /// The bank approves, and its answer is lost.
    AnswerLost,
    /// The request is lost on the way.
    NeverArrived,
    /// The connection is refused.
    NotSent,
    /// The bank answers with an error that leaves all open, and has approved.
    UnclearAndApproved,
    /// The same, and it has not.
    UnclearAndOpen,
    /// Twice in a row.
    UnclearTwice,
    /// 409: an earlier request under this key is still being worked on.
    StillRunning,
    /// The card company declines.
    Declined,
    /// The bank approves, the answer is lost, and its first look-ups still show nothing.
    AnswerLostAndLate,
    /// The bank takes one won too little.
    WrongAmount,
    /// The same, and the answer is lost.
    WrongAmountUnheard,
    /// The buyer chose a virtual account, and deposits before the third look at it.
    DepositLater,
    /// The buyer chose a virtual account, and never deposits.
    DepositNever,
}

impl Mishap {
    pub(crate) const ALL: [Self; 14] = [
        Self::None,
        Self::AnswerLost,
        Self::NeverArrived,
        Self::NotSent,
        Self::UnclearAndApproved,
        Self::UnclearAndOpen,
        Self::UnclearTwice,
        Self::StillRunning,
        Self::Declined,
        Self::AnswerLostAndLate,
        Self::WrongAmount,
        Self::WrongAmountUnheard,
        Self::DepositLater,
        Self::DepositNever,
    ];

    /// Whether money may end elsewhere than with the order.
    pub(crate) fn disagrees(self) -> bool {
        matches!(self, Self::WrongAmount | Self::WrongAmountUnheard)
    }
}

#[derive(Default)]
struct Vault {
    payments: BTreeMap<String, GatewayPayment>,
    answers: BTreeMap<String, GatewayAnswer>,
    mishaps: VecDeque<Mishap>,
    blind_looks: u32,
    /// Looks at a virtual account, and whether its deposit comes.
    deposit: (u32, bool),
    approvals: u32,
    requests: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Bank {
    vault: Mutex<Vault>,
}

impl Bank {
    fn vault(&self) -> MutexGuard<'_, Vault> {
        self.vault.lock().unwrap()
    }

    /// The buyer has authenticated this payment under this key.
    pub(crate) fn open(&self, payment: &Payment, key: &str) {
        let mut opened = gateway_status(payment, GatewayStatus::InProgress);
        opened.payment_key = key.into();
        opened.balance = Some(Money::ZERO);
        self.vault().payments.insert(key.into(), opened);
    }

    /// What goes wrong with the next confirms.
    pub(crate) fn expect(&self, mishap: Mishap) {
        let mut vault = self.vault();
        vault.mishaps.push_back(mishap);
        if mishap == Mishap::UnclearTwice {
            vault.mishaps.push_back(Mishap::UnclearAndOpen);
        }
    }

    /// How often money was taken, ever.
    pub(crate) fn approvals(&self) -> u32 {
        self.vault().approvals
    }

    /// Money taken and not given back.
    pub(crate) fn net(&self) -> i64 {
        let vault = self.vault();
        let balances = vault.payments.values().filter_map(|shown| shown.balance);
        balances.map(Money::won).sum()
    }

    /// The idempotency keys of all confirms that arrived.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.vault().requests.clone()
    }
}

impl Vault {
    /// Answers under an idempotency key: what was answered before, else a new answer.
    fn confirm(&mut self, request: &ConfirmRequest, mishap: Mishap) -> GatewayAnswer {
        self.requests.push(request.key.to_string());
        if let Some(answer) = self.answers.get(request.key.as_str()) {
            return answer.clone();
        }
        let answer = self.decide(request, mishap);
        self.answers.insert(request.key.to_string(), answer.clone());
        answer
    }

    fn decide(&mut self, request: &ConfirmRequest, mishap: Mishap) -> GatewayAnswer {
        let Some(payment) = self.payments.get_mut(request.payment_key.as_str()) else {
            return rejected(RejectionKind::UnknownPayment, "NOT_FOUND_PAYMENT");
        };
        if payment.order_id != request.order_id.as_str() || payment.total != Some(request.amount) {
            return rejected(RejectionKind::Inconsistent, "INVALID_REQUEST");
        }
        if payment.status != GatewayStatus::InProgress {
            return rejected(RejectionKind::AlreadyProcessed, "ALREADY_PROCESSED_PAYMENT");
        }
        match mishap {
            Mishap::Declined => {
                payment.status = GatewayStatus::Aborted;
                return rejected(RejectionKind::Declined, "REJECT_CARD_COMPANY");
            }
            Mishap::UnclearAndOpen | Mishap::UnclearTwice => {
                return rejected(RejectionKind::Unclear, "PROVIDER_ERROR");
            }
            Mishap::WrongAmount | Mishap::WrongAmountUnheard => {
                payment.total = Some(won(request.amount.won() - 1));
            }
            Mishap::DepositLater | Mishap::DepositNever => {
                payment.status = GatewayStatus::WaitingForDeposit;
                self.deposit = (0, mishap == Mishap::DepositLater);
                return done(payment.clone());
            }
            _ => {}
        }
        self.approvals += 1;
        payment.status = GatewayStatus::Done;
        payment.balance = payment.total;
        if mishap == Mishap::UnclearAndApproved {
            return rejected(RejectionKind::Unclear, "UNKNOWN_PAYMENT_ERROR");
        }
        done(payment.clone())
    }

    /// What a look-up shows of the payment under this key.
    fn show(&mut self, key: &str) -> LookUp {
        if self.is_blind() {
            return LookUp::Absent;
        }
        let Some(payment) = self.payments.get_mut(key) else {
            return LookUp::Absent;
        };
        if payment.status == GatewayStatus::WaitingForDeposit {
            self.deposit.0 += 1;
            match self.deposit {
                (1..=2, _) => {}
                (_, true) => {
                    self.approvals += 1;
                    payment.status = GatewayStatus::Done;
                    payment.balance = payment.total;
                }
                (_, false) => payment.deposit_lapsed = true,
            }
        }
        found(payment.clone())
    }

    /// Whether this look-up still shows nothing.
    fn is_blind(&mut self) -> bool {
        let blind = self.blind_looks > 0;
        self.blind_looks = self.blind_looks.saturating_sub(1);
        blind
    }
}

#[async_trait]
impl PaymentGateway for Bank {
    async fn is_back(&self) -> bool {
        false
    }

    async fn confirm(&self, request: &ConfirmRequest) -> GatewayAnswer {
        let mut vault = self.vault();
        let mishap = vault.mishaps.pop_front().unwrap_or(Mishap::None);
        match mishap {
            Mishap::NeverArrived => lost(),
            Mishap::NotSent => GatewayAnswer::NotSent {
                reason: "connection refused".into(),
            },
            Mishap::StillRunning => {
                rejected(RejectionKind::StillRunning, "IDEMPOTENT_REQUEST_PROCESSING")
            }
            Mishap::AnswerLost | Mishap::WrongAmountUnheard => {
                vault.confirm(request, mishap);
                lost()
            }
            Mishap::AnswerLostAndLate => {
                vault.confirm(request, mishap);
                // One look of recovery asks by payment key and by order.
                vault.blind_looks = 2;
                lost()
            }
            Mishap::None
            | Mishap::UnclearAndApproved
            | Mishap::UnclearAndOpen
            | Mishap::UnclearTwice
            | Mishap::Declined
            | Mishap::DepositLater
            | Mishap::DepositNever
            | Mishap::WrongAmount => vault.confirm(request, mishap),
        }
    }

    async fn cancel(&self, request: &CancelRequest) -> GatewayAnswer {
        let mut vault = self.vault();
        if let Some(answer) = vault.answers.get(request.key.as_str()) {
            return answer.clone();
        }
        let answer = match vault.payments.get_mut(request.payment_key.as_str()) {
            Some(payment) if payment.status == GatewayStatus::Done => {
                payment.status = GatewayStatus::Canceled;
                payment.balance = Some(Money::ZERO);
                done(payment.clone())
            }
            Some(_) => rejected(RejectionKind::AlreadyProcessed, "ALREADY_CANCELED_PAYMENT"),
            None => rejected(RejectionKind::UnknownPayment, "NOT_FOUND_PAYMENT"),
        };
        vault
            .answers
            .insert(request.key.to_string(), answer.clone());
        answer
    }

    async fn look_up(&self, payment_key: &PaymentKey) -> LookUp {
        self.vault().show(payment_key.as_str())
    }

    async fn look_up_order(&self, order_id: &OrderId) -> LookUp {
        let mut vault = self.vault();
        let of_order = |payment: &&GatewayPayment| payment.order_id == order_id.as_str();
        let payment = vault.payments.values().find(of_order);
        match payment.map(|payment| payment.payment_key.clone()) {
            Some(key) => vault.show(&key),
            None => LookUp::Absent,
        }
    }
}
