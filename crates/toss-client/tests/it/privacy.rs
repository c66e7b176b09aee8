//! What must never be printed: keys, secrets, names, numbers, bodies.

use std::{
    io,
    sync::{Arc, Mutex},
};

use rust_decimal::Decimal;
use toss_client::{
    BillingKeyRequest, CancelRequest, CardBillingKeyRequest, CardNumbers, CashReceiptRequest,
    CashReceiptType, KeyInRequest, Payment, RefundReceiveAccount, SecretKey, TossClient,
    VirtualAccountRequest,
};
use tracing_subscriber::fmt::MakeWriter;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::{CARD, FOREIGN, SECRET_KEY, VIRTUAL_ACCOUNT, client, confirm_request, key};

const PRIVATE: [&str; 10] = [
    SECRET_KEY,
    "dGVzdF9nc2tf",
    "ps_hush",
    "박하늘별",
    "X6505836971500",
    "100012345678",
    "12345678****000*",
    "01012345678",
    "B-7",
    "pay/key 1",
];

fn assert_nothing_private(shown: &str) {
    for private in PRIVATE {
        assert!(!shown.contains(private), "{private} in {shown}");
    }
}

#[test]
fn debug_of_a_payment_shows_nothing_private() {
    for text in [CARD, VIRTUAL_ACCOUNT, FOREIGN] {
        let payment: Payment = serde_json::from_str(text).unwrap();
        let shown = format!("{payment:#?}");
        assert!(shown.contains("[redacted]"));
        assert_nothing_private(&shown);
    }
}

#[test]
fn debug_of_client_and_builder_shows_no_key() {
    let builder = TossClient::builder(SecretKey::parse(SECRET_KEY).unwrap());
    assert_nothing_private(&format!("{builder:?}"));
    let client = builder
        .base_url("http://127.0.0.1:1")
        .unwrap()
        .build()
        .unwrap();
    assert_nothing_private(&format!("{client:?}"));
}

#[test]
fn debug_of_requests_shows_nothing_private() {
    let card = CardNumbers::new("9410001234567890", "30", "12", "900101").password("77");
    let won = Decimal::from(1_000);
    let account = VirtualAccountRequest::new("order-1", "책", won, "박하늘별", "20")
        .customer_mobile_phone("01012345678")
        .cash_receipt(CashReceiptType::IncomeDeduction, "01012345678");
    let refund = RefundReceiveAccount::new("88", "100012345678", "박하늘별");
    let kind = CashReceiptType::ProofOfExpense;
    let shown = format!(
        "{card:?} {:?} {:?} {account:?} {:?} {:?} {:?}",
        KeyInRequest::new("order-1", "책", won, &card).customer_name("박하늘별"),
        CardBillingKeyRequest::new("customer", &card),
        CancelRequest::new("변심").refund_receive_account(refund),
        CashReceiptRequest::new(kind, won, "order-1", "책", "01012345678"),
        BillingKeyRequest::new("ps_hush", "customer"),
    );
    assert_nothing_private(&shown);
    for private in ["9410001234567890", "900101", "\"77\""] {
        assert!(!shown.contains(private), "{private} in {shown}");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn answers_errors_and_spans_show_nothing_private() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // Whichever test comes by a span first decides for the whole process whether it is wanted.
    // So come by once, whoever was first, and have it decided anew here.
    client("http://127.0.0.1:1")
        .payment("pk")
        .await
        .unwrap_err();
    tracing::callsite::rebuild_interest_cache();

    let answers = [
        ResponseTemplate::new(200).insert_header("x-tosspayments-trace-id", "trace-1"),
        ResponseTemplate::new(502),
        ResponseTemplate::new(200),
    ];
    let bodies = [VIRTUAL_ACCOUNT, "<html>박하늘별</html>", "\"박하늘별\""];
    for (answer, body) in answers.into_iter().zip(bodies) {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(answer.set_body_string(body))
            .mount(&server)
            .await;
        let outcome = client(&server.uri())
            .confirm(&confirm_request(), &key("k"))
            .await;
        assert_nothing_private(&format!("{outcome:?}"));
    }
    // An API product: the numbers of a card are in its body.
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(500).set_body_string("{\"code\":\"COMMON_ERROR\"}"))
        .mount(&server)
        .await;
    let card = CardNumbers::new("9410001234567890", "30", "12", "900101").password("77");
    let request = KeyInRequest::new("order-1", "책", Decimal::from(1_000), &card);
    let outcome = client(&server.uri())
        .with_secret_key(&SecretKey::parse("test_sk_hush_api").unwrap())
        .unwrap()
        .key_in(&request, &key("k"))
        .await;
    let mut keyed = format!("{outcome:?}");
    keyed.push_str(&String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    assert!(keyed.contains("POST /v1/payments/key-in"), "{keyed}");
    for private in ["9410001234567890", "900101", "test_sk_hush_api"] {
        assert!(!keyed.contains(private), "{private} in {keyed}");
    }
    let error = client("http://127.0.0.1:1")
        .payment("pay/key 1")
        .await
        .unwrap_err();
    let mut shown = format!("{error} {error:?}");
    assert!(!shown.contains("pay%2Fkey"), "{shown}");
    shown.push_str(&String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    assert!(
        shown.contains("trace-1") && shown.contains("POST /v1/payments/confirm"),
        "{shown}"
    );
    assert!(!shown.contains("pay%2Fkey"), "{shown}");
    assert_nothing_private(&shown);
}
