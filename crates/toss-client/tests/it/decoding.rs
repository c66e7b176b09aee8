//! Payments of all versions, whole and mutilated.

use proptest::{collection::vec, prelude::*};
use rust_decimal::Decimal;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use toss_client::{
    AcquireStatus, BillingKey, CancelStatus, CardType, CashReceipt, EasyPay, Method, OwnerType,
    Payment, PaymentStatus, PaymentType, Promotions, RefundStatus, Settlement, SettlementStatus,
    Spelled, Transaction,
};
#[cfg(feature = "payouts")]
use toss_client::{Balances, Payout, Seller};
#[cfg(feature = "brandpay")]
use toss_client::{BrandpayMethods, BrandpayTerm};

use crate::{
    CARD, EASY_PAY_1_4, FOREIGN, VIRTUAL_ACCOUNT,
    changes::{Change, KEY_FIELDS, any_change, apply},
};

const SHAPES: &str = include_str!("../fixtures/recorded.json");
const FIXTURES: [&str; 4] = [CARD, VIRTUAL_ACCOUNT, EASY_PAY_1_4, FOREIGN];

fn decode(text: &str) -> Payment {
    serde_json::from_str(text).unwrap()
}

fn won(amount: i64) -> Decimal {
    Decimal::new(amount, 0)
}

#[test]
fn a_card_payment_of_2022_11_16_is_read_in_full() {
    let payment = decode(CARD);
    assert_eq!(payment.status, PaymentStatus::PartialCanceled);
    assert_eq!(payment.payment_type, Some(PaymentType::Normal));
    assert_eq!(payment.method.as_ref().unwrap().kind(), &Method::Card);
    assert_eq!(
        (payment.total_amount, payment.balance_amount),
        (won(1000), Some(won(600)))
    );
    let approved = payment.approved_at.as_ref().unwrap().at().unwrap();
    assert_eq!(approved.to_rfc3339(), "2024-02-13T12:18:14+09:00");
    assert!(
        payment
            .receipt_url()
            .unwrap()
            .starts_with("https://dashboard")
    );
    assert_eq!(
        payment.secret.as_ref().unwrap().expose(),
        "ps_hush_card_secret"
    );
    assert_eq!(
        payment.metadata.as_ref().unwrap().get("shelf"),
        Some(&json!("B-7"))
    );
    assert_eq!(
        payment.easy_pay.as_ref().unwrap().provider(),
        Some("토스페이")
    );

    let card = payment.card.as_ref().unwrap();
    assert_eq!(card.issuer_code.as_deref(), Some("71"));
    assert_eq!(card.card_type.as_ref().unwrap().kind(), &CardType::Credit);
    assert_eq!(
        card.owner_type.as_ref().unwrap().kind(),
        &OwnerType::Personal
    );
    assert_eq!(card.acquire_status, Some(AcquireStatus::Ready));
    assert!(card.extra.get("receiptUrl").is_some());

    let [cancel] = payment.cancels() else {
        panic!("one cancel")
    };
    assert_eq!(
        (cancel.cancel_amount, cancel.refundable_amount),
        (Some(won(400)), Some(won(600)))
    );
    assert_eq!(cancel.cancel_status, Some(CancelStatus::Done));
}

#[test]
fn a_virtual_account_is_read_in_full() {
    let payment = decode(VIRTUAL_ACCOUNT);
    assert_eq!(payment.status, PaymentStatus::WaitingForDeposit);
    assert_eq!(payment.approved_at, None);
    assert_eq!(payment.order_name.as_deref(), Some(""));
    let account = payment.virtual_account.as_ref().unwrap();
    assert_eq!(account.bank_code.as_deref(), Some("88"));
    assert_eq!(
        account.account_number.as_ref().unwrap().expose(),
        "X6505836971500"
    );
    assert_eq!(account.customer_name.as_ref().unwrap().expose(), "박하늘별");
    let due = account.due_date.as_ref().unwrap();
    assert_eq!(due.at().unwrap().to_rfc3339(), "2025-12-07T14:17:19+09:00");
    assert_eq!(account.refund_status, Some(RefundStatus::None));
    assert_eq!(
        account.settlement_status,
        Some(SettlementStatus::Incompleted)
    );
    assert!(payment.cash_receipts.is_some());
}

#[test]
fn version_1_4_names_the_wallet_alone_and_writes_amounts_with_a_fraction() {
    let payment = decode(EASY_PAY_1_4);
    assert_eq!(payment.easy_pay, Some(EasyPay::Name("토스페이".to_owned())));
    assert_eq!(payment.method.as_ref().unwrap().kind(), &Method::EasyPay);
    assert_eq!(
        (payment.total_amount, payment.vat),
        (won(15_000), Some(won(1364)))
    );
    assert!(payment.extra.get("transactionKey").is_some());
}

#[test]
fn amounts_beyond_32_bits_fractions_and_numeric_strings_are_exact() {
    let payment = decode(FOREIGN);
    assert_eq!(payment.total_amount, won(50_000_000_000));
    assert_eq!(payment.balance_amount, Some(won(50_000_000_000)));
    assert_eq!(payment.currency.as_deref(), Some("MUSD"));
    let Some(EasyPay::Detail(wallet)) = &payment.easy_pay else {
        panic!("an object")
    };
    assert_eq!(wallet.amount, Some(Decimal::new(72_624, 2)));
    assert_eq!(wallet.discount_amount, Some(Decimal::new(125, 2)));
    assert_eq!(
        payment.failure.as_ref().unwrap().code.as_deref(),
        Some("REJECT_CARD_PAYMENT")
    );
}

#[test]
fn korean_and_english_spellings_mean_the_same_and_are_written_back_verbatim() {
    for (texts, kind) in [
        (["카드", "Card", "CARD"], Method::Card),
        (
            ["가상계좌", "Virtual account", "VIRTUAL_ACCOUNT"],
            Method::VirtualAccount,
        ),
        (["간편결제", "Easy payment", "EASY_PAY"], Method::EasyPay),
        (
            ["휴대폰", "Mobile phone", "MOBILE_PHONE"],
            Method::MobilePhone,
        ),
        (["계좌이체", "Transfer", "TRANSFER"], Method::Transfer),
        (["암호화폐", "Shells", ""], Method::Other),
    ] {
        for text in texts {
            let method: Spelled<Method> = serde_json::from_value(json!(text)).unwrap();
            assert_eq!(method.kind(), &kind, "{text}");
            assert_eq!(serde_json::to_value(&method).unwrap(), json!(text));
        }
    }
}

#[test]
fn a_known_field_of_an_unexpected_shape_is_kept_as_it_came() {
    let mut value: Value = serde_json::from_str(CARD).unwrap();
    for (name, odd) in [
        ("vat", json!("free")),
        ("card", json!("71")),
        ("useEscrow", json!("Y")),
        ("cancels", json!({"0": {}})),
        ("approvedAt", json!(1_707_794_294)),
    ] {
        value[name] = odd;
    }
    let payment: Payment = serde_json::from_value(value.clone()).unwrap();
    assert_eq!((payment.vat, payment.card.is_some()), (None, false));
    let written = serde_json::to_value(&payment).unwrap();
    for name in ["vat", "card", "useEscrow", "cancels", "approvedAt"] {
        assert_eq!(payment.extra.get(name), Some(&value[name]), "{name}");
        assert_eq!(written[name], value[name], "{name}");
    }
}

#[test]
fn without_a_key_field_there_is_no_payment() {
    for name in KEY_FIELDS {
        for odd in [Value::Null, json!({}), json!([])] {
            let mut value: Value = serde_json::from_str(CARD).unwrap();
            value[name] = odd;
            let error = serde_json::from_value::<Payment>(value).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn a_whole_payment_is_written_back_without_loss() {
    for text in FIXTURES {
        let value: Value = serde_json::from_str(text).unwrap();
        let written = serde_json::to_value(decode(text)).unwrap();
        assert_eq!(canonical(written), canonical(value));
    }
}

/// Without nulls, and with amounts as the integers they are.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, canonical(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        Value::Number(number) => number
            .to_string()
            .strip_suffix(".0")
            .map_or(Value::Number(number), |integer| {
                json!(integer.parse::<i64>().unwrap())
            }),
        Value::String(text) if text == "50000000000.00" => json!(50_000_000_000_i64),
        value => value,
    }
}

proptest! {
    #[test]
    fn no_change_of_toss_loses_a_payment(
        fixture in 0..FIXTURES.len(),
        status in "[A-Z_]{1,20}",
        changes in vec(any_change(), 0..8),
    ) {
        let mut value: Value = serde_json::from_str(FIXTURES[fixture]).unwrap();
        value["status"] = json!(status);
        for change in &changes {
            apply(&mut value, change);
        }
        let payment: Payment = serde_json::from_value(value.clone()).unwrap();
        prop_assert_eq!(payment.status.as_str(), &status);
        prop_assert_eq!(&json!(payment.payment_key), &value["paymentKey"]);
        prop_assert_eq!(&json!(payment.order_id), &value["orderId"]);

        // Through text, as it would be stored.
        let text = serde_json::to_string(&payment).unwrap();
        prop_assert_eq!(&decode(&text), &payment);
        let written: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(unknown_fields(&written), unknown_fields(&value));
    }
}

/// A recorded answer's object, with what its key fields must remain.
fn recorded(call: &str) -> Value {
    let shapes: Value = serde_json::from_str(SHAPES).unwrap();
    let shape = &shapes[call];
    let body = shape.get("entityBody").unwrap_or(shape);
    let rows = body.get("items").or_else(|| body.get("data"));
    let rows = rows.unwrap_or(body);
    rows.get(0).unwrap_or(rows).clone()
}

/// Whatever Toss changes beside the key fields, an object is read, written and read again without
/// loss.
fn survives<T>(call: &str, keys: &[&str], changes: &[Change])
where
    T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug,
{
    let whole = recorded(call);
    let mut value = whole.clone();
    for change in changes {
        apply(&mut value, change);
    }
    for key in keys {
        value[key] = whole[key].clone();
    }
    let object: T = serde_json::from_value(value.clone()).unwrap();
    let text = serde_json::to_string(&object).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), object, "{call}");
    let written: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(unknown_fields(&written), unknown_fields(&value), "{call}");
    for key in keys {
        assert_eq!(written[key], whole[key], "{call}");
    }
}

proptest! {
    #[test]
    fn no_change_of_toss_loses_another_object(changes in vec(any_change(), 0..8)) {
        survives::<Transaction>("GET /v1/transactions", &["transactionKey", "paymentKey"], &changes);
        survives::<BillingKey>("POST /v1/billing/authorizations/card", &["billingKey"], &changes);
        survives::<Settlement>("GET /v1/settlements", &["paymentKey"], &changes);
        survives::<CashReceipt>("POST /v1/cash-receipts", &["receiptKey"], &changes);
        survives::<Promotions>("GET /v1/promotions", &[], &changes);
        #[cfg(feature = "payouts")]
        {
            survives::<Balances>("GET /v2/balances", &[], &changes);
            survives::<Payout>("GET /v2/payouts", &["id"], &changes);
            survives::<Seller>("GET /v2/sellers", &["id"], &changes);
        }
        #[cfg(feature = "brandpay")]
        {
            survives::<BrandpayTerm>("GET /v1/brandpay/terms", &["id"], &changes);
            survives::<BrandpayMethods>("GET /v1/brandpay/payments/methods", &[], &changes);
        }
    }
}

/// The top-level fields that no version of Toss has.
fn unknown_fields(value: &Value) -> Map<String, Value> {
    let fields = value.as_object().unwrap().clone().into_iter();
    fields
        .filter(|(name, value)| name.starts_with("new") && !value.is_null())
        .collect()
}
