//! The pages that a buyer sees. Plain HTML without scripts; everything shown is escaped.

mod text;

use chrono::{DateTime, TimeDelta, Utc};

use self::text::Text;
pub(crate) use crate::engine::WindowClosed;
use crate::engine::{
    ApiError, BANKS, Currency, EASY_PAY_PROVIDERS, ISSUERS, Language, Payment, RequestedMethod,
    WindowSight, korean_time,
};

/// The stand-in for Toss's browser SDK v2.
pub(crate) const SCRIPT: &str = include_str!("standard.js");

/// The card that issues billing keys and approves in Toss's test environment (measured by others).
const CARD_NUMBER: &str = "9410001234567890";

/// Far off, so that the form stays good as it comes.
const CARD_EXPIRY: &str = "12/99";

const STYLE: &str = include_str!("style.css");

/// Codes offered for a decline.
const DECLINES: [&str; 6] = [
    "REJECT_CARD_COMPANY",
    "REJECT_CARD_PAYMENT",
    "INVALID_STOPPED_CARD",
    "INVALID_CARD_EXPIRATION",
    "EXCEED_MAX_DAILY_PAYMENT_COUNT",
    "EXCEED_MAX_PAYMENT_AMOUNT",
];

/// Whether a text looks like one of Toss's codes; only such texts go into a return address.
pub(crate) fn is_code(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The console's script.
pub(crate) const CONSOLE: &str = include_str!("console.js");

/// The console, which its script fills.
pub(crate) fn console_page() -> String {
    format!(
        "<!doctype html><html><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\"><title>Toss sandbox</title>\
         <style>{STYLE}</style></head><body><main class=console></main>\
         <script src=/sandbox/console.js></script></body></html>"
    )
}

/// The open window, with what was wrong with the last form if anything was.
pub(crate) fn page(sight: &WindowSight, refused: Option<&ApiError>, language: Language) -> String {
    let text = Text::of(language);
    let methods = methods(sight, text, language);
    let declines = decline_options(language);
    let billing = sight.method == RequestedMethod::Billing;
    let head = if billing {
        format!("<h1>{}</h1>", text.billing)
    } else {
        format!(
            "<h1>{name}</h1><p class=amount id=amount>{amount}</p><p class=order>{order} {order_id}</p>",
            name = escape(&sight.order_name),
            amount = sight.currency.shown(sight.amount, language),
            order = text.order,
            order_id = escape(&sight.order_id),
        )
    };
    let refused = refused.map_or_else(String::new, |error| {
        let message = escape(error.message(language));
        format!(
            "<p id=refused class=refused role=alert>{message} ({})</p>",
            error.code
        )
    });
    let body = format!(
        "{head}{refused}\
         <form method=post><fieldset><legend>{choose}</legend>{methods}</fieldset>\
         <button id=pay name=action value=pay>{pay}</button>\
         <button id=cancel name=action value=cancel>{cancel}</button>\
         <button id=leave name=action value=leave>{leave}</button>\
         <p class=leave>{lapses}</p>\
         <section class=trial><h2>{trial}</h2><select id=code name=code aria-label=\"{code_label}\">{declines}</select>\
         <label class=later><input type=checkbox id=later name=later value=1>{later}</label>\
         <button id=decline name=action value=decline>{decline}</button></section></form>",
        choose = text.choose,
        pay = if billing { text.register } else { text.pay },
        leave = text.leave,
        lapses = lapses(sight, text),
        cancel = text.cancel,
        trial = text.trial,
        code_label = text.code,
        later = text.later,
        decline = text.decline,
    );
    document(text, language, &body)
}

fn decline_options(language: Language) -> String {
    let option = |code: &str| {
        let message = escape(ApiError::new(code).message(language));
        format!("<option value=\"{code}\">{message} ({code})</option>")
    };
    DECLINES.map(option).concat()
}

/// A window that its buyer goes away from: nothing has happened, and it can be come back to.
pub(crate) fn left_page(sight: &WindowSight, language: Language) -> String {
    let text = Text::of(language);
    let body = format!(
        "<h1 id=left>{left}</h1><p>{lapses} {may_close}</p><p><a id=return href=\"\">{return_to}</a></p>",
        left = text.left,
        lapses = lapses(sight, text),
        may_close = text.may_close,
        return_to = text.return_to,
    );
    document(text, language, &body)
}

/// When the window closes by itself.
fn lapses(sight: &WindowSight, text: &Text) -> String {
    let (before, after) = text.lapses;
    let clock = |at: DateTime<Utc>| (at + TimeDelta::hours(9)).format("%H:%M");
    sight.lapses_at.map_or_else(String::new, |at| {
        format!(
            "{before}<time datetime=\"{}\">{} (KST)</time>{after}",
            korean_time(at),
            clock(at)
        )
    })
}

/// A window that is over, or never was.
pub(crate) fn closed_page(language: Language) -> String {
    let text = Text::of(language);
    document(
        text,
        language,
        &format!("<h1 id=closed>{}</h1><p>{}</p>", text.closed, text.back),
    )
}

/// What a receipt link leads to.
pub(crate) fn receipt_page(payment: &Payment, language: Language) -> String {
    let text = Text::of(language);
    let approved = payment.approved_at.map(korean_time).unwrap_or_default();
    let body = format!(
        "<h1 id=receipt>{title}</h1><dl><dt>{item}</dt><dd>{name}</dd><dt>{order}</dt><dd>{order_id}</dd>\
         <dt>{amount_label}</dt><dd>{amount}</dd><dt>{balance_label}</dt><dd>{balance}</dd>\
         <dt>{at}</dt><dd>{approved}</dd></dl>",
        title = text.receipt,
        item = text.item,
        name = escape(&payment.order_name),
        order = text.order,
        order_id = escape(&payment.order_id),
        amount_label = text.amount,
        amount = payment.currency().shown(payment.amount, language),
        balance_label = text.balance,
        balance = payment.currency().shown(payment.balance, language),
        at = text.approved,
    );
    document(text, language, &body)
}

/// Tabs and their panels: radio buttons that CSS alone turns into tabs.
fn methods(sight: &WindowSight, text: &Text, language: Language) -> String {
    let label = |korean: &'static str, english: &'static str| match language {
        Language::Korean => korean,
        Language::English => english,
    };
    match sight.method {
        RequestedMethod::Card if sight.currency != Currency::Krw => {
            one("card", text.card, &card_fields(sight, text))
        }
        RequestedMethod::ForeignEasyPay => one(
            "foreign_easy_pay",
            label("해외간편결제", "Foreign easy pay"),
            "",
        ),
        RequestedMethod::Card => {
            let issuers = ISSUERS.map(|(code, korean, english)| (code, label(korean, english)));
            let wallets = EASY_PAY_PROVIDERS.map(|(name, english)| (name, label(name, english)));
            format!(
                "<div class=methods>\
                 <input type=radio name=method id=m-card value=card checked><label class=tab for=m-card>{card}</label>\
                 <input type=radio name=method id=m-easy value=easy_pay><label class=tab for=m-easy>{easy}</label>\
                 <div class=\"panel p-card\">{issuers}</div><div class=\"panel p-easy\">{wallets}</div></div>",
                card = text.card,
                easy = text.easy_pay,
                issuers = choices("issuer", &issuers) + &card_fields(sight, text),
                wallets = choices("provider", &wallets),
            )
        }
        RequestedMethod::Billing => one("card", text.card, &card_fields(sight, text)),
        RequestedMethod::MobilePhone => {
            let phone = format!(
                "<input class=field name=phone inputmode=tel value=01000001234 aria-label=\"{}\">",
                text.mobile_phone
            );
            one("mobile_phone", text.mobile_phone, &phone)
        }
        RequestedMethod::CultureGiftCertificate => one(
            "culture",
            label("문화상품권", "Culture gift certificate"),
            "",
        ),
        RequestedMethod::BookGiftCertificate => {
            one("book", label("도서문화상품권", "Book gift certificate"), "")
        }
        RequestedMethod::GameGiftCertificate => {
            one("game", label("게임문화상품권", "Game gift certificate"), "")
        }
        RequestedMethod::Transfer => {
            let banks = BANKS.map(|(code, korean, english)| (code, label(korean, english)));
            one("transfer", text.transfer, &choices("bank", &banks))
        }
        RequestedMethod::VirtualAccount => {
            let banks = BANKS.map(|(code, korean, english)| (code, label(korean, english)));
            one(
                "virtual_account",
                text.virtual_account,
                &choices("bank", &banks),
            )
        }
    }
}

/// A card's number and expiry, filled in with the card that Toss's test environment takes.
fn card_fields(sight: &WindowSight, text: &Text) -> String {
    let points = match sight.card_points_wanted {
        Some(false) => String::new(),
        wanted => {
            let checked = if wanted == Some(true) { " checked" } else { "" };
            format!(
                "<label class=later><input type=checkbox id=card_points name=card_points value=1{checked}>{}</label>",
                text.card_points
            )
        }
    };
    format!(
        "<label class=entry>{number}<input class=field name=card_number inputmode=numeric autocomplete=off maxlength=24 value=\"{CARD_NUMBER}\"></label>\
         <label class=entry>{expiry}<input class=field name=card_expiry autocomplete=off maxlength=7 value=\"{CARD_EXPIRY}\"></label>\
         {points}<p class=hint>{hint}</p>",
        number = text.card_number,
        expiry = text.card_expiry,
        hint = text.card_hint,
    )
}

/// The only method, with its panel.
fn one(value: &str, name: &str, panel: &str) -> String {
    format!(
        "<div class=\"methods one\"><input type=radio name=method id=m-account value={value} checked>\
         <label class=tab for=m-account>{name}</label><div class=\"panel p-account\">{panel}</div></div>"
    )
}

fn choices(name: &str, options: &[(&str, &str)]) -> String {
    let choice = |(index, (value, label)): (usize, &(&str, &str))| {
        let checked = if index == 0 { " checked" } else { "" };
        format!(
            "<span class=choice><input type=radio name={name} id={name}-{index} value=\"{value}\"{checked}>\
             <label for={name}-{index}>{label}</label></span>",
        )
    };
    let choices: Vec<_> = options.iter().enumerate().map(choice).collect();
    format!("<div class=choices>{}</div>", choices.concat())
}

fn document(text: &Text, language: Language, body: &str) -> String {
    let tag = match language {
        Language::Korean => "ko",
        Language::English => "en",
    };
    format!(
        "<!doctype html><html lang={tag}><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main><p class=banner>{banner}</p>{body}</main></body></html>",
        title = text.title,
        banner = text.banner,
    )
}

/// Makes a text safe in HTML, inside and outside of quoted attributes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(order_name: &str) -> WindowSight {
        WindowSight {
            order_name: order_name.to_owned(),
            order_id: "order-1".to_owned(),
            amount: 1_234_567,
            currency: Currency::Krw,
            method: RequestedMethod::Card,
            open: true,
            lapses_at: DateTime::from_timestamp(1_767_225_600, 0),
            card_points_wanted: None,
        }
    }

    #[test]
    fn the_page_escapes_what_the_shop_sends() {
        let html = page(
            &sight("<script>alert('1')</script>\"&"),
            None,
            Language::Korean,
        );
        assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;"));
        assert!(!html.contains("<script"));
    }

    #[test]
    fn the_page_speaks_both_languages_and_shows_the_amount() {
        let korean = page(&sight("티셔츠"), None, Language::Korean);
        assert!(korean.contains("결제하기") && korean.contains("1,234,567원"));
        let english = page(&sight("T-shirt"), None, Language::English);
        assert!(english.contains(">Pay<") && english.contains("₩1,234,567"));
    }

    #[test]
    fn the_page_says_when_it_lapses_and_can_be_left_open() {
        let shown = page(&sight("티셔츠"), None, Language::Korean);
        let left = left_page(&sight("티셔츠"), Language::English);
        assert!(shown.contains("id=leave") && left.contains("id=left"));
        for html in [shown, left] {
            assert!(html.contains("09:00 (KST)"), "{html}");
        }
        let unknown = WindowSight {
            lapses_at: None,
            ..sight("티셔츠")
        };
        assert!(!page(&unknown, None, Language::Korean).contains("<time"));
    }

    #[test]
    fn the_page_loads_nothing_from_outside() {
        let html = page(&sight("티셔츠"), None, Language::Korean);
        assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("src="));
    }

    #[test]
    fn only_code_shaped_texts_are_codes() {
        assert!(is_code("REJECT_CARD_COMPANY"));
        assert!(!is_code("") && !is_code("reject") && !is_code("A&B") && !is_code("A\r\nB"));
    }
}
