//! Promotions: what card companies give. The offers are made up; their fields are Toss's.

use super::Language;

/// `GET /v1/promotions` and, without banks, `GET /v1/promotions/card`.
pub(super) fn promotions(language: Language, with_banks: bool) -> String {
    let (event, bank_event) = match language {
        Language::Korean => ("즉시할인 행사", "계좌 즉시할인 행사"),
        Language::English => ("Instant discount", "Instant account discount"),
    };
    let mut offers = serde_json::json!({
        "discountCards": [{
            "discountCode": "sandbox-61-1000",
            "issuerCode": "61",
            "discountAmount": 1_000,
            "balance": 10_000_000,
            "discountName": event,
            "dueDate": "2099-12-31",
            "minimumPaymentAmount": 30_000,
            "maximumPaymentAmount": 1_000_000_000,
            "currency": "KRW",
        }],
        "interestFreeCards": [{
            "issuerCode": "61",
            "dueDate": "2099-12-31",
            "installmentFreeMonths": [2, 3],
            "minimumPaymentAmount": 50_000,
            "currency": "KRW",
        }],
        "pointCards": [{ "issuerCode": "61", "minimumPaymentAmount": 1_000 }],
    });
    if with_banks {
        offers["discountBanks"] = serde_json::json!([{
            "discountCode": "sandbox-20-500",
            "bankCode": "20",
            "discountAmount": 500,
            "balance": 10_000_000,
            "discountName": bank_event,
            "dueDate": "2099-12-31",
            "minimumPaymentAmount": 10_000,
            "maximumPaymentAmount": 1_000_000_000,
            "currency": "KRW",
        }]);
    }
    offers.to_string()
}
