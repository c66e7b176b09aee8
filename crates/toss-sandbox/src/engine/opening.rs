//! How a payment window is opened: what the browser script asks for.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    ApiError, Change, Choice, Engine, GiftCertificate, ISSUERS, Kind, Language, Method, NewPayment,
    OpenedWindow, RequestedMethod, Terms,
    address::is_return_url,
    currency::{Currency, Sum},
    direct::{checked_metadata, installments, new_payment, term},
    promotions::Discount,
    request::{is_order_id, parse},
};

/// The customer key of guests (`TossPayments.ANONYMOUS`).
const ANONYMOUS: &str = "@@ANONYMOUS";

/// What the browser script sends; unknown fields are left unread, as Toss adds options freely.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenBody {
    client_key: String,
    /// `payment` (the default), `widgets`, `brandpay` or `billing`.
    product: Option<String>,
    customer_key: Option<String>,
    method: Option<String>,
    amount: Option<AmountBody>,
    order_id: Option<String>,
    order_name: Option<String>,
    success_url: Option<String>,
    fail_url: Option<String>,
    customer_name: Option<String>,
    customer_mobile_phone: Option<String>,
    tax_free_amount: Option<Sum>,
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    card: MethodBody,
    #[serde(default)]
    transfer: MethodBody,
    #[serde(default)]
    virtual_account: MethodBody,
    #[serde(default)]
    foreign_easy_pay: ForeignBody,
    #[serde(default)]
    sandbox: TrialBody,
}

#[derive(Debug, Deserialize)]
struct AmountBody {
    currency: String,
    value: Sum,
}

/// The options of a method that are played.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MethodBody {
    use_escrow: Option<bool>,
    card_installment_plan: Option<u8>,
    free_installment_plans: Option<Vec<FreeInstallments>>,
    use_card_point: Option<bool>,
    discount_code: Option<String>,
    tax_exemption_amount: Option<Sum>,
    valid_hours: Option<u32>,
    due_date: Option<String>,
    cash_receipt: Option<ReceiptBody>,
}

/// Installments whose interest the merchant pays.
#[derive(Debug, Deserialize)]
struct FreeInstallments {
    company: String,
    months: Vec<u8>,
}

impl FreeInstallments {
    /// The card company, if its installments of so many months are free; it may be named by code,
    /// in Korean or in English. One that is not known is as good as none.
    fn issuer(&self, months: u8) -> Option<String> {
        let named = |(code, korean, english): &&(&str, &str, &str)| {
            [code, korean, english].iter().any(|name| {
                let company = self.company.to_lowercase();
                !company.is_empty() && name.to_lowercase().ends_with(&company)
            })
        };
        let issuer = ISSUERS.iter().find(named)?;
        let free = self.months.contains(&months);
        free.then(|| issuer.0.to_owned())
    }
}

/// Which wallet abroad, and where its buyer is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ForeignBody {
    provider: Option<String>,
    country: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ReceiptBody {
    r#type: Option<String>,
}

/// The hidden option with which Toss's SDK gets a result without a buyer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TrialBody {
    payment_result: Option<String>,
}

fn invalid() -> ApiError {
    ApiError::new("INVALID_REQUEST")
}

/// The `method` of a request, and what the payment is taken to be paid with until the buyer
/// chooses.
fn requested(body: &OpenBody) -> Result<(RequestedMethod, Method), ApiError> {
    let certificate = |kind| Method::GiftCertificate { kind };
    let bank_code = || "20".to_owned();
    Ok(match body.method.as_deref().unwrap_or("CARD") {
        "CARD" => (RequestedMethod::Card, Method::card()),
        "VIRTUAL_ACCOUNT" => (
            RequestedMethod::VirtualAccount,
            Method::VirtualAccount {
                bank_code: bank_code(),
                customer_name: body.customer_name.clone().unwrap_or_default(),
            },
        ),
        "TRANSFER" => (
            RequestedMethod::Transfer,
            Method::Transfer {
                bank_code: bank_code(),
            },
        ),
        "MOBILE_PHONE" => {
            let number = body
                .customer_mobile_phone
                .as_deref()
                .unwrap_or("01000001234");
            let customer_mobile_phone = number.chars().filter(char::is_ascii_digit).collect();
            let method = Method::MobilePhone {
                customer_mobile_phone,
            };
            (RequestedMethod::MobilePhone, method)
        }
        "CULTURE_GIFT_CERTIFICATE" => (
            RequestedMethod::CultureGiftCertificate,
            certificate(GiftCertificate::Culture),
        ),
        "BOOK_GIFT_CERTIFICATE" => (
            RequestedMethod::BookGiftCertificate,
            certificate(GiftCertificate::Book),
        ),
        "GAME_GIFT_CERTIFICATE" => (
            RequestedMethod::GameGiftCertificate,
            certificate(GiftCertificate::Game),
        ),
        "FOREIGN_EASY_PAY" => {
            let wanted = body.foreign_easy_pay.provider.clone();
            // In widgets the buyer chooses among the wallets; here there is this one.
            let widgets = body.product.as_deref() == Some("widgets");
            let provider = wanted.or_else(|| widgets.then(|| "PAYPAL".to_owned()));
            let provider = provider
                .filter(|name| is_name(name, 30))
                .ok_or_else(invalid)?;
            let method = Method::ForeignEasyPay { provider };
            (RequestedMethod::ForeignEasyPay, method)
        }
        _ => return Err(ApiError::new("NOT_SUPPORTED_METHOD")),
    })
}

/// Capital letters, as wallets and countries are named.
pub(crate) fn is_name(text: &str, length_max: usize) -> bool {
    (2..=length_max).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// Both addresses, or neither: then the page waits for a Promise.
fn addresses(body: &OpenBody) -> Result<(String, String), ApiError> {
    match (&body.success_url, &body.fail_url) {
        (Some(success), Some(fail)) if is_return_url(success) && is_return_url(fail) => {
            Ok((success.clone(), fail.clone()))
        }
        (None, None) => Ok((String::new(), String::new())),
        _ => Err(invalid()),
    }
}

fn terms(
    now: DateTime<Utc>,
    body: &OpenBody,
    (amount, currency): (u64, Currency),
) -> Result<Terms, ApiError> {
    let installment_plan = body.card.card_installment_plan;
    // In months for won alone: cards abroad have no installments.
    let installment_months = match currency {
        Currency::Krw => installments(installment_plan, amount)?,
        Currency::Jpy | Currency::Usd if installment_plan.unwrap_or(0) == 0 => 0,
        Currency::Jpy | Currency::Usd => {
            return Err(ApiError::new("INVALID_CARD_INSTALLMENT_PLAN"));
        }
    };
    let country = body.foreign_easy_pay.country.clone();
    if country.as_deref().is_some_and(|code| !is_name(code, 2)) {
        return Err(invalid());
    }
    let account = &body.virtual_account;
    let (due_at, valid_hours) = term(now, account.due_date.as_deref(), account.valid_hours)?;
    let options = [&body.card, &body.transfer, account];
    let receipt = options
        .iter()
        .find_map(|option| option.cash_receipt.as_ref());
    let receipt = receipt.and_then(|receipt| receipt.r#type.clone());
    let exempt = options
        .iter()
        .find_map(|option| option.tax_exemption_amount);
    let exempt = exempt.map_or(Some(0), |sum| sum.minor(currency));
    let product = body.product.as_deref().unwrap_or("payment");
    let code = body.card.discount_code.as_deref();
    let free = body.card.free_installment_plans.iter().flatten();
    Ok(Terms {
        kind: if product == "brandpay" {
            Kind::Brandpay
        } else {
            Kind::Normal
        },
        widget: product == "widgets",
        currency,
        country: country.filter(|code| code != "KR"),
        customer_key: body.customer_key.clone().filter(|key| key != ANONYMOUS),
        escrow: options.iter().any(|option| option.use_escrow == Some(true)),
        metadata: checked_metadata(body.metadata.clone())?,
        installment_months,
        tax_exemption: exempt.ok_or_else(invalid)?,
        card_number: None,
        due_at,
        valid_hours,
        cash_receipt: receipt.filter(|name| matches!(name.as_str(), "소득공제" | "지출증빙")),
        account_key: None,
        card_points_wanted: body.card.use_card_point,
        card_points: false,
        merchant_pays_interest: free
            .filter_map(|plan| plan.issuer(installment_months))
            .collect(),
        discount: code.and_then(|code| Discount::of(code, amount, currency)),
    })
}

impl Engine {
    /// Opens a payment and its window, as the browser script asks.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a malformed body or a return address that is not absolute http(s);
    /// `UNAUTHORIZED_KEY`, `INSECURE_KEY_USAGE`, `NOT_SUPPORTED_WIDGET_KEY`, `INVALID_ORDER_ID`,
    /// `INVALID_CURRENCY`, `BELOW_MINIMUM_AMOUNT`, `NOT_SUPPORTED_METHOD` for what they say.
    pub fn open_window(
        &mut self,
        now: DateTime<Utc>,
        body: &[u8],
    ) -> Result<OpenedWindow, ApiError> {
        let body: OpenBody = parse(body)?;
        let product = body.product.as_deref().unwrap_or("payment");
        self.check_client_key(&body.client_key, product == "widgets")?;
        let (success_url, fail_url) = addresses(&body)?;
        let customer_name = body.customer_name.clone();
        let (payment_key, method, customer_key) = if product == "billing" {
            let key = body.customer_key.clone().unwrap_or_default();
            self.check_customer_key(&key)?;
            if key == ANONYMOUS || success_url.is_empty() {
                return Err(ApiError::new("INVALID_CUSTOMER_KEY"));
            }
            if !matches!(body.method.as_deref(), None | Some("CARD")) {
                return Err(ApiError::new("NOT_SUPPORTED_METHOD"));
            }
            (String::new(), RequestedMethod::Billing, Some(key))
        } else {
            let (method, new) = checked(now, &body)?;
            (self.bank.open(now, &mut self.random, new), method, None)
        };
        let window_id = self.random.window_id();
        self.make(Change::WindowOpened {
            window_id: window_id.clone(),
            payment_key,
            method,
            customer_name: customer_name.unwrap_or_else(|| "김토스".to_owned()),
            success_url,
            fail_url,
            customer_key,
            opened_at: Some(now),
        });
        let redirect = self.without_buyer(now, &window_id, &body)?;
        Ok(OpenedWindow {
            path: format!("/sandbox/window/{window_id}"),
            window_id,
            redirect,
        })
    }

    /// The result that the page asked for, at once.
    fn without_buyer(
        &mut self,
        now: DateTime<Utc>,
        id: &str,
        body: &OpenBody,
    ) -> Result<Option<String>, ApiError> {
        let choice = match body.sandbox.payment_result.as_deref() {
            None => return Ok(None),
            Some("SUCCESS") => Choice::Pay {
                method: requested(body)?.1,
                card: None,
                decline_at_confirm: None,
            },
            Some("FAIL") => Choice::Decline {
                code: "PAY_PROCESS_ABORTED".to_owned(),
            },
            Some(_) => return Err(invalid()),
        };
        self.finish_window(now, id, choice, Language::Korean)
            .map_err(|_| invalid())
    }

    fn check_client_key(&self, key: &str, widgets: bool) -> Result<(), ApiError> {
        let code = match key {
            _ if key == self.secret_key || key == self.widget_secret_key => "INSECURE_KEY_USAGE",
            _ if key == self.client_key && !widgets => return Ok(()),
            _ if key == self.widget_client_key && widgets => return Ok(()),
            _ if key == self.widget_client_key => "NOT_SUPPORTED_WIDGET_KEY",
            // Toss's own code for an API key in a widget is not known.
            _ if key == self.client_key => "INVALID_CLIENT_KEY",
            _ => "UNAUTHORIZED_KEY",
        };
        Err(ApiError::new(code))
    }
}

fn checked(now: DateTime<Utc>, body: &OpenBody) -> Result<(RequestedMethod, NewPayment), ApiError> {
    let order_id = body.order_id.clone().filter(|id| is_order_id(id));
    let order_id = order_id.ok_or_else(|| ApiError::new("INVALID_ORDER_ID"))?;
    let amount = body.amount.as_ref().ok_or_else(invalid)?;
    let foreign = || ApiError::new("INVALID_CURRENCY");
    let currency = Currency::named(&amount.currency).ok_or_else(foreign)?;
    let order_name = body.order_name.clone().unwrap_or_default();
    if !(1..=100).contains(&order_name.chars().count()) {
        return Err(invalid());
    }
    let (method, paid_with) = requested(body)?;
    if !currency.suits(&paid_with) {
        return Err(foreign());
    }
    // A wallet abroad has no window over the page (Toss's script: by redirect alone).
    if method == RequestedMethod::ForeignEasyPay && body.success_url.is_none() {
        return Err(invalid());
    }
    let minor = |sum: Sum| sum.minor(currency).ok_or_else(invalid);
    let tax_free = body.tax_free_amount.map_or(Ok(0), minor)?;
    let amount = minor(amount.value)?;
    let terms = terms(now, body, (amount, currency))?;
    let amounts = (amount, tax_free);
    let new = new_payment(order_id, order_name, amounts, paid_with, terms)?;
    Ok((method, new))
}
