//! The contract of [`ReconcileRepository`]: every adapter passes [`all`] on an empty store.

use std::sync::Arc;
use std::time::Duration;

use kernel::{OrderId, Timestamp};

use super::{SECOND, claim, finish, read};
use crate::model::{
    Books, FindingKind, Payment, PaymentFact, PaymentStatus, Period, StockInstruction,
};
use crate::port::{
    Applied, Found, Inserted, PaymentRepository, Place, ReconcileRepository, Run, Scope, Totals,
};
use crate::testing::fixtures::{buyer, noon, order_id, quoted};

type Payments = Arc<dyn PaymentRepository>;
type Repository = Arc<dyn ReconcileRepository>;

const DAY: Duration = Duration::from_hours(24);

/// Runs the whole contract against one store that has no payments yet; both are the same store.
///
/// # Panics
/// When the adapter breaks the contract.
pub async fn all(payments: Payments, repository: Repository) {
    books_sum_up_what_a_payment_moved(&payments, &repository).await;
    a_walk_finds_every_payment_in_scope_once(&payments, &repository).await;
    a_run_and_its_breaks_read_back(&repository).await;
}

async fn check_out(payments: &Payments, id: &str, at: Timestamp) -> Payment {
    let lines = vec![quoted(1, 50_000, 1)];
    let payment =
        Payment::check_out(order_id(id), buyer(), lines, at, 1800 * SECOND).expect("an order");
    let inserted = payments.insert(&payment, None).await.expect("insert");
    assert_eq!(inserted, Inserted::Stored);
    payment
}

async fn one(repository: &Repository, id: &OrderId) -> Books {
    let mut books = repository
        .books(std::slice::from_ref(id))
        .await
        .expect("books");
    assert_eq!(books.len(), 1, "{id}");
    books.remove(0)
}

async fn books_sum_up_what_a_payment_moved(payments: &Payments, repository: &Repository) {
    let ready = check_out(payments, "reconcile-books", noon()).await;
    let plain = one(repository, &ready.order_id).await;
    assert_eq!((plain.approved_won, plain.moved_won), (0, 0));
    assert_eq!((plain.status, plain.undelivered), (ready.status, None));

    let claimed = claim(&ready);
    let done = finish(&claimed.after);
    for change in [claimed, done.clone()] {
        assert_eq!(payments.apply(&change).await.expect("apply"), Applied::Yes);
    }
    let payment = read(payments, &ready.order_id).await;
    let books = one(repository, &ready.order_id).await;
    let undelivered = books.undelivered.expect("an instruction");
    assert_eq!(
        (undelivered.due_at, undelivered.failures),
        (done.history.at, 0)
    );
    let expected = Books {
        order_id: payment.order_id.clone(),
        total: payment.total,
        balance: payment.balance,
        status: PaymentStatus::Done,
        fence: payment.fence,
        due_at: payment.due_at,
        attempts: payment.attempts,
        payment_key: payment.payment_key.clone(),
        created_at: payment.created_at,
        updated_at: payment.updated_at,
        approved_won: payment.total.won(),
        moved_won: payment.total.won(),
        undelivered: Some(undelivered),
    };
    assert_eq!(books, expected);

    let mut part = payment
        .change(PaymentFact::CanceledInPart, noon() + 9 * SECOND)
        .expect("a cancel");
    part.transaction = done.transaction.map(|mut transaction| {
        transaction.amount_won = -1_000;
        transaction
    });
    part.stock = Some(StockInstruction::Sell);
    assert_eq!(payments.apply(&part).await.expect("apply"), Applied::Yes);
    let books = one(repository, &ready.order_id).await;
    let won = payment.total.won();
    assert_eq!((books.approved_won, books.moved_won), (won, won - 1_000));
    // Of several instructions the oldest counts.
    assert_eq!(books.undelivered, Some(undelivered));

    let nobody = [order_id("reconcile-nobody"), ready.order_id];
    let known = repository.books(&nobody).await.expect("books");
    assert_eq!(known.len(), 1);
    assert!(repository.books(&[]).await.expect("books").is_empty());
}

async fn a_walk_finds_every_payment_in_scope_once(payments: &Payments, repository: &Repository) {
    let (began, second) = (noon() + 10 * DAY, SECOND);
    let mut expected = Vec::new();
    for number in 0..7_u32 {
        // Two and two at the same moment, so that pages end between them.
        let at = began + number / 2 * second;
        let id = format!("reconcile-walk-{number}");
        expected.push(check_out(payments, &id, at).await.order_id);
    }
    check_out(payments, "reconcile-walk-after", began + 4 * second).await;
    check_out(payments, "reconcile-walk-before", began - second).await;
    let old = check_out(payments, "reconcile-walk-old", began - DAY).await;
    let changed = old
        .change(PaymentFact::CheckoutLapsed, began + second)
        .expect("a change");
    assert_eq!(payments.apply(&changed).await.expect("apply"), Applied::Yes);
    expected.insert(0, old.order_id);

    let scope = Scope {
        created_from: began - 2 * DAY,
        changed_from: began,
        until: began + 4 * second,
    };
    for limit in [1, 2, 3, 100] {
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let page = repository.walk(&scope, after.as_ref(), limit).await;
            let page = page.expect("walk");
            let Some(last) = page.last() else { break };
            assert!(page.len() <= limit as usize);
            assert!(page.iter().all(|books| scope.covers(books)));
            after = Some(Place {
                created_at: last.created_at,
                order_id: last.order_id.clone(),
            });
            walked.extend(page.into_iter().map(|books| books.order_id));
        }
        assert_eq!(walked, expected, "{limit}");
    }
}

async fn a_run_and_its_breaks_read_back(repository: &Repository) {
    let mut run = Run {
        id: "contract-run-1".into(),
        period: Period::new(noon(), noon() + DAY).expect("a period"),
        mends: true,
        started_at: noon() + DAY,
        finished_at: None,
        totals: Totals::default(),
    };
    repository.begin_run(&run).await.expect("begin");
    assert_eq!(
        repository.run(&run.id).await.expect("run"),
        Some(run.clone())
    );
    let nobody = repository.run("contract-run-2").await.expect("run");
    assert_eq!(nobody, None);

    let order = Found {
        kind: FindingKind::MissingHere,
        order_id: Some("an order id of Toss's, 한글".into()),
        product_id: None,
        detail: "Toss shows 1 won".into(),
        action: Some("Toss was asked again".into()),
        mended: true,
    };
    let product = Found {
        kind: FindingKind::Stock,
        order_id: None,
        product_id: Some(quoted(7, 1, 1).product_id),
        detail: "pieces are gone".into(),
        action: None,
        mended: false,
    };
    let breaks = [order.clone(), product.clone(), order];
    for _ in 0..2 {
        repository
            .add_breaks(&run.id, 1, &breaks[..1])
            .await
            .expect("add");
        repository
            .add_breaks(&run.id, 2, &breaks[1..])
            .await
            .expect("add");
    }
    let read = repository.breaks(&run.id, 1, 10).await.expect("breaks");
    assert_eq!(read, breaks);
    let part = repository.breaks(&run.id, 2, 1).await.expect("breaks");
    assert_eq!(part, [product]);

    run.finished_at = Some(noon() + DAY + SECOND);
    run.totals = Totals {
        payments: 1,
        transactions: 2,
        products: 3,
        breaks: 4,
        pending: 5,
        unasked: 6,
        mended: 7,
    };
    repository.end_run(&run).await.expect("end");
    assert_eq!(repository.run(&run.id).await.expect("run"), Some(run));
}
