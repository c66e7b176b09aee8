//! A small Toss with a memory: it approves a payment key once, binds what it answered to the
//! idempotency key, and can be told to lose answers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use kernel::{Money, OrderId, PaymentKey};
use payment_domain::model::{GatewayCancel, GatewayPayment, GatewayStatus, Payment};
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
    cancel_mishaps: VecDeque<Mishap>,
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

    /// What goes wrong with the next cancels.
    pub(crate) fn expect_cancel(&self, mishap: Mishap) {
        let mut vault = self.vault();
        vault.cancel_mishaps.push_back(mishap);
        if mishap == Mishap::UnclearTwice {
            vault.cancel_mishaps.push_back(Mishap::UnclearAndOpen);
        }
    }

    /// Somebody gives money back at the bank's own counter.
    pub(crate) fn give_back_at_the_counter(&self, key: &str, amount: Money) {
        let mut vault = self.vault();
        let payment = vault.payments.get_mut(key).unwrap();
        give_back(payment, amount, "at the counter");
    }

    /// How often money went back, ever.
    pub(crate) fn cancels(&self) -> usize {
        let vault = self.vault();
        let payments = vault.payments.values();
        payments.map(|shown| shown.cancels.len()).sum()
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

    /// The same for a cancel.
    fn cancel(&mut self, request: &CancelRequest, mishap: Mishap) -> GatewayAnswer {
        if let Some(answer) = self.answers.get(request.key.as_str()) {
            return answer.clone();
        }
        let answer = self.decide_cancel(request, mishap);
        self.answers.insert(request.key.to_string(), answer.clone());
        answer
    }

    fn decide_cancel(&mut self, request: &CancelRequest, mishap: Mishap) -> GatewayAnswer {
        let Some(payment) = self.payments.get_mut(request.payment_key.as_str()) else {
            return rejected(RejectionKind::UnknownPayment, "NOT_FOUND_PAYMENT");
        };
        let balance = payment.balance.unwrap_or_default();
        match payment.status {
            GatewayStatus::Done | GatewayStatus::PartialCanceled if balance > Money::ZERO => {}
            _ => return rejected(RejectionKind::AlreadyProcessed, "ALREADY_CANCELED_PAYMENT"),
        }
        let amount = request.part.map_or(balance, |part| part.amount);
        if request.part.is_some_and(|part| part.balance != balance) {
            return rejected(RejectionKind::Declined, "NOT_MATCHES_REFUNDABLE_AMOUNT");
        }
        if amount > balance {
            return rejected(RejectionKind::Declined, "NOT_CANCELABLE_AMOUNT");
        }
        match mishap {
            Mishap::Declined => {
                return rejected(RejectionKind::Declined, "EXCEED_MAX_REFUND_DUE");
            }
            Mishap::UnclearAndOpen | Mishap::UnclearTwice => {
                return rejected(RejectionKind::Unclear, "PROVIDER_ERROR");
            }
            _ => {}
        }
        give_back(payment, amount, &request.reason);
        if mishap == Mishap::UnclearAndApproved {
            return rejected(RejectionKind::Unclear, "FAILED_REFUND_PROCESS");
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

/// As Toss does it: parts that add up to everything leave the payment partly canceled.
fn give_back(payment: &mut GatewayPayment, amount: Money, reason: &str) {
    let balance = payment.balance.unwrap_or_default();
    let whole = Some(amount) == payment.total;
    payment.status = if whole {
        GatewayStatus::Canceled
    } else {
        GatewayStatus::PartialCanceled
    };
    payment.balance = balance.checked_sub(amount);
    let transaction_key = Some(format!("cancel-{}", payment.cancels.len() + 1));
    payment.transaction_key.clone_from(&transaction_key);
    payment.cancels.push(GatewayCancel {
        transaction_key,
        amount: Some(amount),
        reason: Some(reason.to_owned()),
        at: None,
    });
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
        let mishap = vault.cancel_mishaps.pop_front().unwrap_or(Mishap::None);
        match mishap {
            Mishap::NeverArrived => lost(),
            Mishap::NotSent => GatewayAnswer::NotSent {
                reason: "connection refused".into(),
            },
            Mishap::StillRunning => {
                rejected(RejectionKind::StillRunning, "IDEMPOTENT_REQUEST_PROCESSING")
            }
            Mishap::AnswerLost => {
                vault.cancel(request, mishap);
                lost()
            }
            _ => vault.cancel(request, mishap),
        }
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
