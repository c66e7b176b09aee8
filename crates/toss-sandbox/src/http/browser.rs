//! What a buyer's browser loads: the script, the window's pages, receipts.

use actix_web::{
    Error, HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self as names, LOCATION},
    },
    web::{Bytes, Data, Form, Query},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{error_response, header_language, json_response};
use crate::{
    JournalFailure, Sandbox,
    engine::{
        ApiError, BANKS, Card, Choice, EASY_PAY_PROVIDERS, GiftCertificate, ISSUERS, Language,
        Method, WindowSight,
    },
    window,
};

type Response = Result<HttpResponse, JournalFailure>;

#[derive(Debug, Deserialize)]
struct LanguageQuery {
    lang: Option<String>,
}

/// The window's form: one button (`action`) and the choices made.
#[derive(Debug, Deserialize)]
pub(super) struct WindowForm {
    action: String,
    method: Option<String>,
    issuer: Option<String>,
    provider: Option<String>,
    bank: Option<String>,
    phone: Option<String>,
    card_number: Option<String>,
    card_expiry: Option<String>,
    /// Present if the card's points are to be used.
    card_points: Option<String>,
    code: Option<String>,
    /// Present if the decline is to come only at confirm.
    later: Option<String>,
}

/// Why a form is not heeded.
enum Refused {
    /// A field names what the window does not offer.
    Nonsense,
    /// The card cannot be one; the buyer may correct it.
    Card(ApiError),
}

/// What a form came to.
enum Turn {
    Nonsense,
    Refused(WindowSight, ApiError),
    Left(WindowSight),
    Finished(Option<String>),
    Closed,
}

pub(super) async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript;charset=UTF-8")
        .insert_header((names::CACHE_CONTROL, "no-cache"))
        .insert_header((names::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .body(window::SCRIPT)
}

/// Any page may open a window, as with Toss's own script; it takes the client key alone.
pub(super) async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((names::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((names::ACCESS_CONTROL_ALLOW_METHODS, "POST"))
        .insert_header((names::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"))
        .insert_header((names::ACCESS_CONTROL_MAX_AGE, "600"))
        .finish()
}

pub(super) async fn open_window(
    sandbox: Data<Sandbox>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> Response {
    let body = body.unwrap_or_default();
    let opened = sandbox.act(|engine, now| engine.open_window(now, &body));
    let opened = sandbox.told(opened).await?;
    let mut response = match opened {
        Ok(opened) => match serde_json::to_string(&opened) {
            Ok(body) => json_response(201, body),
            Err(_) => return Ok(HttpResponse::InternalServerError().finish()),
        },
        Err(error) => error_response(&request, &error),
    };
    response.headers_mut().insert(
        names::ACCESS_CONTROL_ALLOW_ORIGIN,
        names::HeaderValue::from_static("*"),
    );
    Ok(response)
}

pub(super) async fn show_window(sandbox: Data<Sandbox>, request: HttpRequest) -> Response {
    let language = language(&request);
    let id = request.match_info().get("id").unwrap_or_default();
    let sight = sandbox.act(|engine, now| engine.window(now, id));
    Ok(match sandbox.told(sight).await? {
        Some(sight) if sight.open => page(StatusCode::OK, window::page(&sight, None, language)),
        Some(_) => page(StatusCode::GONE, window::closed_page(language)),
        None => page(StatusCode::NOT_FOUND, window::closed_page(language)),
    })
}

pub(super) async fn finish_window(
    sandbox: Data<Sandbox>,
    request: HttpRequest,
    form: Result<Form<WindowForm>, Error>,
) -> Response {
    let language = language(&request);
    let id = request.match_info().get("id").unwrap_or_default();
    let turned = sandbox.act(|engine, now| {
        let customer = engine.window_customer(id).unwrap_or_default().to_owned();
        let asked = form.map_err(|_| Refused::Nonsense);
        let asked = asked.and_then(|form| asked_for(now, &form, customer));
        let Some(sight) = engine.window(now, id).filter(|sight| sight.open) else {
            return match asked {
                Err(Refused::Nonsense) => Turn::Nonsense,
                Ok(_) | Err(Refused::Card(_)) => Turn::Closed,
            };
        };
        match asked {
            Err(Refused::Nonsense) => Turn::Nonsense,
            Err(Refused::Card(error)) => Turn::Refused(sight, error),
            Ok(None) => Turn::Left(sight),
            Ok(Some(choice)) => match engine.finish_window(now, id, choice, language) {
                Ok(address) => Turn::Finished(address),
                Err(window::WindowClosed) => Turn::Closed,
            },
        }
    });
    Ok(match sandbox.told(turned).await? {
        Turn::Nonsense => page(StatusCode::BAD_REQUEST, window::closed_page(language)),
        Turn::Refused(sight, error) => page(
            StatusCode::BAD_REQUEST,
            window::page(&sight, Some(&error), language),
        ),
        Turn::Left(sight) => page(StatusCode::OK, window::left_page(&sight, language)),
        Turn::Finished(None) => page(StatusCode::OK, window::closed_page(language)),
        Turn::Finished(Some(address)) => HttpResponse::SeeOther()
            .insert_header((LOCATION, address))
            .insert_header((names::CACHE_CONTROL, "no-store"))
            .finish(),
        Turn::Closed => page(StatusCode::GONE, window::closed_page(language)),
    })
}

/// What the bank knows, live, with buttons. Its script is the sandbox's own, and talks to it alone.
pub(super) async fn console() -> HttpResponse {
    let mut response = page(StatusCode::OK, window::console_page());
    response.headers_mut().insert(
        names::CONTENT_SECURITY_POLICY,
        names::HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; \
             connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    response
}

pub(super) async fn console_script() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript;charset=UTF-8")
        .insert_header((names::CACHE_CONTROL, "no-cache"))
        .body(window::CONSOLE)
}

/// What the page that opened a window waits for.
pub(super) async fn outcome(sandbox: Data<Sandbox>, request: HttpRequest) -> Response {
    let id = request.match_info().get("id").unwrap_or_default();
    let outcome = sandbox.act(|engine, now| engine.window_outcome(now, id));
    let mut response = match sandbox.told(outcome).await? {
        Some(outcome) => json_response(200, outcome),
        None => error_response(&request, &ApiError::new("NOT_FOUND")),
    };
    response.headers_mut().insert(
        names::ACCESS_CONTROL_ALLOW_ORIGIN,
        names::HeaderValue::from_static("*"),
    );
    Ok(response)
}

pub(super) async fn receipt(sandbox: Data<Sandbox>, request: HttpRequest) -> Response {
    let language = language(&request);
    let key = request.match_info().get("payment_key").unwrap_or_default();
    let receipt = sandbox.act(|engine, now| {
        engine.payment(now, key, |payment, _| {
            window::receipt_page(payment, language)
        })
    });
    Ok(match sandbox.told(receipt).await? {
        Some(receipt) => page(StatusCode::OK, receipt),
        None => page(StatusCode::NOT_FOUND, window::closed_page(language)),
    })
}

/// Reads a form; none if the buyer leaves the window open.
fn asked_for(
    now: DateTime<Utc>,
    form: &WindowForm,
    customer_name: String,
) -> Result<Option<Choice>, Refused> {
    let code = || {
        let code = form.code.clone().filter(|code| window::is_code(code));
        code.ok_or(Refused::Nonsense)
    };
    let decline_at_confirm = match form.action.as_str() {
        "leave" => return Ok(None),
        "cancel" => return Ok(Some(Choice::Close)),
        "decline" if form.later.is_none() => return Ok(Some(Choice::Decline { code: code()? })),
        "decline" => Some(code()?),
        "pay" => None,
        _ => return Err(Refused::Nonsense),
    };
    let method = method(form, customer_name).ok_or(Refused::Nonsense)?;
    Ok(Some(Choice::Pay {
        card: card(now, form, &method).map_err(Refused::Card)?,
        method,
        decline_at_confirm,
    }))
}

/// The card that was typed; none if the buyer pays otherwise or the form came without its fields.
fn card(now: DateTime<Utc>, form: &WindowForm, method: &Method) -> Result<Option<Card>, ApiError> {
    let (Method::Card { .. }, Some(number)) = (method, &form.card_number) else {
        return Ok(None);
    };
    let expiry = form.card_expiry.as_deref().unwrap_or_default();
    let card = Card::typed(now, number, expiry)?;
    Ok(Some(card.with_points(form.card_points.is_some())))
}

fn method(form: &WindowForm, customer_name: String) -> Option<Method> {
    match form.method.as_deref().unwrap_or("card") {
        "card" => {
            let wanted = form.issuer.as_deref().unwrap_or(ISSUERS[0].0);
            let issuer = ISSUERS.iter().find(|issuer| issuer.0 == wanted)?;
            Some(Method::Card {
                issuer_code: issuer.0.to_owned(),
            })
        }
        "easy_pay" => {
            let wanted = form.provider.as_deref().unwrap_or(EASY_PAY_PROVIDERS[0].0);
            let provider = EASY_PAY_PROVIDERS
                .iter()
                .find(|provider| provider.0 == wanted)?;
            Some(Method::EasyPay {
                provider: provider.0.to_owned(),
            })
        }
        "virtual_account" => Some(Method::VirtualAccount {
            bank_code: bank(form)?,
            customer_name,
        }),
        "transfer" => Some(Method::Transfer {
            bank_code: bank(form)?,
        }),
        "mobile_phone" => {
            let number = form.phone.as_deref().unwrap_or("01000001234");
            let customer_mobile_phone: String =
                number.chars().filter(char::is_ascii_digit).collect();
            (9..=11)
                .contains(&customer_mobile_phone.len())
                .then_some(Method::MobilePhone {
                    customer_mobile_phone,
                })
        }
        // Which wallet it is, the page that opened the window has said.
        "foreign_easy_pay" => Some(Method::ForeignEasyPay {
            provider: String::new(),
        }),
        "culture" => Some(Method::GiftCertificate {
            kind: GiftCertificate::Culture,
        }),
        "book" => Some(Method::GiftCertificate {
            kind: GiftCertificate::Book,
        }),
        "game" => Some(Method::GiftCertificate {
            kind: GiftCertificate::Game,
        }),
        _ => None,
    }
}

fn bank(form: &WindowForm) -> Option<String> {
    let wanted = form.bank.as_deref().unwrap_or(BANKS[0].0);
    let bank = BANKS.iter().find(|bank| bank.0 == wanted)?;
    Some(bank.0.to_owned())
}

/// `?lang=en` or `?lang=ko` wins over the browser's own wish.
fn language(request: &HttpRequest) -> Language {
    let query = Query::<LanguageQuery>::from_query(request.query_string());
    match query
        .ok()
        .and_then(|query| query.into_inner().lang)
        .as_deref()
    {
        Some("en") => Language::English,
        Some("ko") => Language::Korean,
        _ => header_language(request),
    }
}

/// No script, no outside resource: the page needs neither.
fn page(status: StatusCode, html: String) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html;charset=UTF-8")
        .insert_header((names::CACHE_CONTROL, "no-store"))
        .insert_header((
            names::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
        ))
        .insert_header((names::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((names::REFERRER_POLICY, "no-referrer"))
        .body(html)
}
