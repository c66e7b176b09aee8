use std::time::Duration;

use kernel::{Money, ProductId, Quantity};

use super::{Repository, claim, noon, store};
use crate::model::{
    Cancel, CancelKey, CancelRefusal, CancelRefusalKind, CancelState, PaymentFact, RefundAccount,
    RestockLine,
};
use crate::port::Applied;
use crate::testing::change;

fn wish(number: u32) -> Cancel {
    let line = |id, pieces| RestockLine {
        product_id: ProductId::new(id).expect("a product id"),
        quantity: Quantity::new(pieces).expect("a quantity"),
    };
    Cancel {
        number,
        amount: Money::from_won(10_000).expect("an amount"),
        reason: "고객 변심, 'quoted'".into(),
        refund_account: Some(RefundAccount {
            bank: "20".into(),
            account_number: "1234567890".into(),
            holder_name: "김토스".into(),
        }),
        restock: vec![line(1, 2), line(2, 1)],
        key: Some(CancelKey {
            key: "a-key".parse().expect("a key"),
            fingerprint: "f".repeat(64),
        }),
        attempt: 2,
        state: CancelState::Requested,
        ended_fence: None,
        balance_after: None,
        refusal: None,
        requested_at: noon() + Duration::from_secs(5),
    }
}

pub(super) async fn a_cancel_is_stored_with_its_change_and_then_replaced(repository: &Repository) {
    let payment = store(repository, "contract-cancels").await;
    let id = payment.order_id.clone();
    let none = repository.cancels(&id).await.expect("cancels");
    assert_eq!(none, []);

    let claimed = claim(&payment);
    let applied = repository.apply(&claimed).await.expect("apply");
    assert_eq!(applied, Applied::Yes);
    let second = Duration::from_secs(1);
    let mut paid = change(&claimed.after, PaymentFact::Approved, noon() + second);
    paid.cancel = Some(Box::new(wish(1)));
    repository.apply(&paid).await.expect("apply");
    assert_eq!(repository.cancels(&id).await.expect("cancels"), [wish(1)]);

    let fact = PaymentFact::CanceledInPart;
    let mut part = change(&paid.after, fact, noon() + 2 * second);
    let fence = part.history.fence;
    let ended = wish(1).done(fence, Money::from_won(200_000).expect("an amount"));
    part.cancel = Some(Box::new(ended.clone()));
    assert_eq!(repository.apply(&part).await.expect("apply"), Applied::Yes);
    // A change that comes too late changes no cancel either.
    let mut stale = part.clone();
    stale.cancel = Some(Box::new(wish(1)));
    assert_eq!(
        repository.apply(&stale).await.expect("apply"),
        Applied::Stale
    );

    let mut refusal = change(&part.after, PaymentFact::CancelRefused, noon() + 3 * second);
    let bare = Cancel {
        refund_account: None,
        key: None,
        restock: Vec::new(),
        ..wish(2)
    };
    let refused = bare.refused(
        refusal.history.fence,
        CancelRefusal {
            kind: CancelRefusalKind::NotCancelable,
            code: "EXCEED_MAX_REFUND_DUE".into(),
            message: "환불 가능한 기간이 지났습니다.".into(),
        },
    );
    refusal.cancel = Some(Box::new(refused.clone()));
    repository.apply(&refusal).await.expect("apply");
    let all = repository.cancels(&id).await.expect("cancels");
    assert_eq!(all, [ended, refused]);
}
