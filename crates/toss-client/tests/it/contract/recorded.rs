//! Answers as Toss documents them, by call.

use serde_json::{Value, json};
use toss_client::{BoxFuture, Endpoint, HttpReply, HttpRequest, Transport, TransportError};

use crate::{CARD, VIRTUAL_ACCOUNT};

const SHAPES: &str = include_str!("../../fixtures/recorded.json");
/// Calls whose bodies Toss takes only encrypted.
/// Documented: POSTs without a body.
const BARE: [Endpoint; 2] = [Endpoint::CancelPayout, Endpoint::RemoveBrandpayCustomer];
const ENCRYPTED: [Endpoint; 3] = [
    Endpoint::RequestPayouts,
    Endpoint::RegisterSeller,
    Endpoint::UpdateSeller,
];

/// Finds the call that a request is, checks what every request of its kind must have, and answers
/// with the recorded shape.
#[derive(Debug, Default)]
pub(crate) struct Recorded;

impl Transport for Recorded {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpReply, TransportError>> {
        let endpoint = endpoint(&request).unwrap_or_else(|| panic!("no such call: {request:?}"));
        check(endpoint, &request);
        let body = shape(endpoint);
        Box::pin(async move { Ok(HttpReply::new(200, body)) })
    }
}

/// The documented call with this method and path; literal segments win over variables.
fn endpoint(request: &HttpRequest) -> Option<Endpoint> {
    let path = request.url.strip_prefix("https://api.tosspayments.com/")?;
    let path = path.split('?').next()?;
    let segments: Vec<_> = path.split('/').collect();
    let literals = |template: &str| -> Option<usize> {
        let (method, path) = template.split_once(" /")?;
        let wanted: Vec<_> = path.split('/').collect();
        let fits = |(wanted, found): (&&str, &&str)| wanted.starts_with('{') || wanted == found;
        let same = wanted.len() == segments.len() && wanted.iter().zip(&segments).all(fits);
        (same && method == request.method.as_str())
            .then(|| wanted.iter().filter(|part| !part.starts_with('{')).count())
    };
    let fitting = Endpoint::ALL
        .into_iter()
        .filter(|endpoint| literals(endpoint.as_str()).is_some());
    fitting.max_by_key(|endpoint| literals(endpoint.as_str()))
}

fn check(endpoint: Endpoint, request: &HttpRequest) {
    let header = |name: &str| {
        request
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    let authorization = header("authorization").unwrap();
    assert!(
        authorization.starts_with("Basic ") || authorization.starts_with("Bearer "),
        "{endpoint}"
    );
    let posts = request.method.as_str() == "POST";
    assert_eq!(header("idempotency-key").is_some(), posts, "{endpoint}");
    let has_body = posts && !BARE.contains(&endpoint);
    assert_eq!(request.body.is_some(), has_body, "{endpoint}");
    let Some(body) = &request.body else { return };
    if ENCRYPTED.contains(&endpoint) {
        assert_eq!(header("tosspayments-api-security-mode"), Some("ENCRYPTION"));
        assert_eq!(header("content-type"), Some("text/plain"));
        let parts = body.split(|byte| *byte == b'.').count();
        assert_eq!(parts, 5, "{endpoint} is no compact JWE");
    } else {
        assert_eq!(header("content-type"), Some("application/json"));
        let body: Value = serde_json::from_slice(body).unwrap();
        if endpoint == Endpoint::AgreeBrandpayTerms {
            // Lists, as Toss's page shows them, and the ids as numbers.
            assert_eq!(body["scope"], json!(["REGISTER", "CARD"]));
            assert_eq!(body["termsId"], json!([5]));
        }
    }
}

fn shape(endpoint: Endpoint) -> String {
    match endpoint {
        Endpoint::ConfirmPayment
        | Endpoint::GetPayment
        | Endpoint::GetPaymentByOrder
        | Endpoint::CancelPayment
        | Endpoint::KeyInPayment
        | Endpoint::ApproveBilling
        | Endpoint::ConfirmBrandpay
        | Endpoint::PayBrandpay => CARD.to_owned(),
        Endpoint::IssueVirtualAccount => VIRTUAL_ACCOUNT.to_owned(),
        _ => {
            let shapes: Value = serde_json::from_str(SHAPES).unwrap();
            match &shapes[endpoint.as_str()] {
                // Documented: an empty body.
                Value::Null if endpoint == Endpoint::DeleteBillingKey => String::new(),
                Value::Null => panic!("no shape is recorded for {endpoint}"),
                shape => shape.to_string(),
            }
        }
    }
}
