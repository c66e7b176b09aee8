//! The pages that a buyer sees. Plain HTML without scripts; everything shown is escaped.

pub(crate) use crate::engine::WindowClosed;
use crate::engine::{
    ApiError, BANKS, EASY_PAY_PROVIDERS, ISSUERS, Language, Payment, RequestedMethod, WindowSight,
    korean_time,
};

/// The stand-in for Toss's browser SDK v2.
pub(crate) const SCRIPT: &str = include_str!("standard.js");

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

/// The open window.
pub(crate) fn page(sight: &WindowSight, language: Language) -> String {
    let text = Text::of(language);
    let methods = methods(sight.method, text, language);
    let declines = decline_options(language);
    let billing = sight.method == RequestedMethod::Billing;
    let head = if billing {
        format!("<h1>{}</h1>", text.billing)
    } else {
        format!(
            "<h1>{name}</h1><p class=amount id=amount>{amount}</p><p class=order>{order} {order_id}</p>",
            name = escape(&sight.order_name),
            amount = won(sight.amount, language),
            order = text.order,
            order_id = escape(&sight.order_id),
        )
    };
    let body = format!(
        "{head}\
         <form method=post><fieldset><legend>{choose}</legend>{methods}</fieldset>\
         <button id=pay name=action value=pay>{pay}</button>\
         <button id=cancel name=action value=cancel>{cancel}</button>\
         <p class=leave>{leave}</p>\
         <section class=trial><h2>{trial}</h2><select id=code name=code aria-label=\"{code_label}\">{declines}</select>\
         <label class=later><input type=checkbox id=later name=later value=1>{later}</label>\
         <button id=decline name=action value=decline>{decline}</button></section></form>",
        choose = text.choose,
        pay = if billing { text.register } else { text.pay },
        leave = text.leave,
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
        amount = won(payment.amount, language),
        balance_label = text.balance,
        balance = won(payment.balance, language),
        at = text.approved,
    );
    document(text, language, &body)
}

/// Tabs and their panels: radio buttons that CSS alone turns into tabs.
fn methods(method: RequestedMethod, text: &Text, language: Language) -> String {
    let label = |korean: &'static str, english: &'static str| match language {
        Language::Korean => korean,
        Language::English => english,
    };
    match method {
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
                issuers = choices("issuer", &issuers),
                wallets = choices("provider", &wallets),
            )
        }
        RequestedMethod::Billing => {
            let issuers = ISSUERS.map(|(code, korean, english)| (code, label(korean, english)));
            one("card", text.card, &choices("issuer", &issuers))
        }
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

/// `12,345원` or `₩12,345`.
fn won(amount: u64, language: Language) -> String {
    let digits = amount.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match language {
        Language::Korean => format!("{grouped}원"),
        Language::English => format!("₩{grouped}"),
    }
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

/// The pages' words in one language.
#[derive(Debug)]
struct Text {
    title: &'static str,
    banner: &'static str,
    order: &'static str,
    choose: &'static str,
    card: &'static str,
    easy_pay: &'static str,
    virtual_account: &'static str,
    transfer: &'static str,
    mobile_phone: &'static str,
    billing: &'static str,
    register: &'static str,
    leave: &'static str,
    pay: &'static str,
    cancel: &'static str,
    trial: &'static str,
    code: &'static str,
    later: &'static str,
    decline: &'static str,
    closed: &'static str,
    back: &'static str,
    receipt: &'static str,
    item: &'static str,
    amount: &'static str,
    balance: &'static str,
    approved: &'static str,
}

impl Text {
    fn of(language: Language) -> &'static Self {
        match language {
            Language::Korean => &KOREAN,
            Language::English => &ENGLISH,
        }
    }
}

static KOREAN: Text = Text {
    title: "토스페이먼츠 샌드박스",
    banner: "샌드박스 결제창입니다. 실제로 결제되지 않습니다.",
    order: "주문번호",
    choose: "결제수단",
    card: "카드",
    easy_pay: "간편결제",
    virtual_account: "가상계좌",
    transfer: "계좌이체",
    mobile_phone: "휴대폰",
    billing: "자동결제 카드 등록",
    register: "카드 등록하기",
    leave: "아무것도 누르지 않으면 결제창은 30분 뒤 만료됩니다.",
    pay: "결제하기",
    cancel: "닫기",
    trial: "결제 거절 시험",
    code: "거절 사유",
    later: "인증은 성공하고 승인할 때 거절",
    decline: "거절하기",
    closed: "끝난 결제창입니다.",
    back: "쇼핑몰로 돌아가 다시 시도해 주세요.",
    receipt: "샌드박스 매출전표",
    item: "상품",
    amount: "결제 금액",
    balance: "남은 금액",
    approved: "승인 시각",
};

static ENGLISH: Text = Text {
    title: "Toss Payments sandbox",
    banner: "This is a sandbox payment window. No money is taken.",
    order: "Order",
    choose: "Payment method",
    card: "Card",
    easy_pay: "Easy pay",
    virtual_account: "Virtual account",
    transfer: "Transfer",
    mobile_phone: "Mobile phone",
    billing: "Register a card for billing",
    register: "Register",
    leave: "Left alone, the window lapses after 30 minutes.",
    pay: "Pay",
    cancel: "Close",
    trial: "Try a decline",
    code: "Reason",
    later: "Authenticate, then decline the approval",
    decline: "Decline",
    closed: "This payment window is over.",
    back: "Please go back to the shop and try again.",
    receipt: "Sandbox receipt",
    item: "Item",
    amount: "Amount",
    balance: "Balance",
    approved: "Approved",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(order_name: &str) -> WindowSight {
        WindowSight {
            order_name: order_name.to_owned(),
            order_id: "order-1".to_owned(),
            amount: 1_234_567,
            method: RequestedMethod::Card,
            open: true,
        }
    }

    #[test]
    fn the_page_escapes_what_the_shop_sends() {
        let html = page(&sight("<script>alert('1')</script>\"&"), Language::Korean);
        assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;"));
        assert!(!html.contains("<script"));
    }

    #[test]
    fn the_page_speaks_both_languages_and_shows_the_amount() {
        let korean = page(&sight("티셔츠"), Language::Korean);
        assert!(korean.contains("결제하기") && korean.contains("1,234,567원"));
        let english = page(&sight("T-shirt"), Language::English);
        assert!(english.contains(">Pay<") && english.contains("₩1,234,567"));
    }

    #[test]
    fn the_page_loads_nothing_from_outside() {
        let html = page(&sight("티셔츠"), Language::Korean);
        assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("src="));
    }

    #[test]
    fn only_code_shaped_texts_are_codes() {
        assert!(is_code("REJECT_CARD_COMPANY"));
        assert!(!is_code("") && !is_code("reject") && !is_code("A&B") && !is_code("A\r\nB"));
    }
}
