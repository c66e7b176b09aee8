//! What is shown of a body: card numbers and secrets stay out of the console. Works on text, as
//! bodies may be cut off or no JSON at all.

/// Values of these fields are shown as three stars, in requests and in answers.
const SECRET: [&str; 14] = [
    "accessToken",
    "authKey",
    "billingKey",
    "cardExpirationMonth",
    "cardExpirationYear",
    "cardNumber",
    "cardPassword",
    "cavv",
    "customerIdentityNumber",
    "refreshToken",
    "registrationNumber",
    "secret",
    "secretKey",
    "xid",
];

/// Values of these fields are names that the merchant or Toss gave: long rows of digits in them
/// are no card.
const NAMES: [&str; 7] = [
    "approveNo",
    "lastTransactionKey",
    "orderId",
    "paymentKey",
    "refPayoutId",
    "traceId",
    "transactionKey",
];

const STARS: &str = "\"***\"";

/// How a value is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Showing {
    Plain,
    WithoutCards,
    Stars,
}

/// A body as it may be shown.
pub(super) fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    let mut value = Showing::WithoutCards;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let (token, after) = rest.split_at(string_end(rest));
            let decoded = serde_json::from_str::<String>(token);
            let content = decoded.unwrap_or_else(|_| token.trim_matches('"').to_owned());
            if after.trim_start().starts_with(':') {
                // A name: it says how the value after it is shown.
                value = showing(&content);
                shown.push_str(token);
            } else {
                show_string(&mut shown, token, &content, value);
                value = Showing::WithoutCards;
            }
            rest = after;
        } else if first.is_ascii_alphanumeric() {
            let end = rest.find(|c: char| ",}]\"\n\r\t ".contains(c));
            let (token, after) = rest.split_at(end.unwrap_or(rest.len()));
            match value {
                Showing::Stars if token != "null" => shown.push_str(STARS),
                Showing::Plain => shown.push_str(token),
                Showing::Stars | Showing::WithoutCards => shown.push_str(&without_cards(token)),
            }
            value = Showing::WithoutCards;
            rest = after;
        } else {
            // What is nested is shown by its own names.
            if "{[".contains(first) {
                value = Showing::WithoutCards;
            }
            shown.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    shown
}

fn showing(name: &str) -> Showing {
    if SECRET.contains(&name) {
        Showing::Stars
    } else if NAMES.contains(&name) {
        Showing::Plain
    } else {
        Showing::WithoutCards
    }
}

fn show_string(shown: &mut String, token: &str, content: &str, value: Showing) {
    if value == Showing::Stars {
        shown.push_str(STARS);
        return;
    }
    let without = without_cards(content);
    if value == Showing::Plain || without == content {
        shown.push_str(token);
    } else {
        shown.push('"');
        shown.push_str(&without);
        shown.push('"');
    }
}

/// Where the string that a text begins with is over, its quotes included.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// A text whose numbers of 13 to 19 digits, in groups or not, keep their last four digits alone.
/// Digits within a word, as in a payment key, are part of its name.
fn without_cards(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_word = false;
    while let Some(first) = rest.chars().next() {
        let end = number_end(rest);
        let digits = rest[..end].bytes().filter(u8::is_ascii_digit).count();
        let ends_word = rest[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if (13..=19).contains(&digits) && !in_word && !ends_word {
            shown.push_str("************");
            shown.push_str(&rest[end - 4..end]);
            rest = &rest[end..];
            in_word = false;
        } else {
            let step = end.max(first.len_utf8());
            shown.push_str(&rest[..step]);
            in_word = rest[..step].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            rest = &rest[step..];
        }
    }
    shown
}

/// Where the number that a text begins with is over: digits, between which single spaces and
/// dashes may stand. 0 if it begins with none.
fn number_end(text: &str) -> usize {
    let mut end = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => end = at + 1,
            b' ' | b'-' if end == at && at > 0 => {}
            _ => break,
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_stars_whatever_they_are_and_however_they_are_named() {
        for (body, shown) in [
            (
                r#"{"cardPassword":"12","amount":1000}"#,
                r#"{"cardPassword":"***","amount":1000}"#,
            ),
            (
                r#"{"cardNumber" : 9410001234567890 }"#,
                r#"{"cardNumber" : "***" }"#,
            ),
            (r#"{"secret":null}"#, r#"{"secret":null}"#),
            (r#"{"card\u004eumber":"1"}"#, r#"{"card\u004eumber":"***"}"#),
            (
                r#"{"vbv":{"cavv":"a\"b","eci":"05"}}"#,
                r#"{"vbv":{"cavv":"***","eci":"05"}}"#,
            ),
            (r#"{"secret":"cut of"#, r#"{"secret":"***""#),
        ] {
            assert_eq!(masked(body), shown);
        }
    }

    #[test]
    fn card_numbers_are_masked_wherever_they_stand_and_names_are_not() {
        for (body, shown) in [
            (
                r#"{"note":"pays with 9410-0012 34567890!"}"#,
                r#"{"note":"pays with ************7890!"}"#,
            ),
            (
                r#"{"amount":9410001234567890}"#,
                r#"{"amount":************7890}"#,
            ),
            ("card=9410001234567890", "card=************7890"),
            (
                r#"{"note":"\u0039410001234567890"}"#,
                r#"{"note":"************7890"}"#,
            ),
            (
                r#"{"orderId":"20260101120000123","paymentKey":"tgen_20260101120000Ab12"}"#,
                r#"{"orderId":"20260101120000123","paymentKey":"tgen_20260101120000Ab12"}"#,
            ),
            (
                r#"{"url":"/receipts/tgen_20260101120000Ab12","at":"2026-01-01T09:00:00+09:00"}"#,
                r#"{"url":"/receipts/tgen_20260101120000Ab12","at":"2026-01-01T09:00:00+09:00"}"#,
            ),
        ] {
            assert_eq!(masked(body), shown);
        }
    }

    proptest! {
        #[test]
        fn no_body_is_too_strange_to_be_shown(body in ".{0,80}") {
            let once = masked(&body);
            prop_assert!(once.len() <= body.len() * 5 + 16);
        }

        #[test]
        fn a_body_without_secrets_is_shown_as_it_is(amount in 0..1_000_000_u64, name in "[a-z가-힣 ]{0,20}") {
            let body = format!(r#"{{"amount":{amount},"orderName":"{name}","orderId":"order-0001"}}"#);
            prop_assert_eq!(masked(&body), body);
        }

        #[test]
        fn no_card_number_is_shown(digits in "[0-9]{15,16}", gap in "[ -]?", before in "[a-z :]{0,5} ") {
            let (head, tail) = digits.split_at(8);
            let body = format!(r#"{{"note":"{before}{head}{gap}{tail}"}}"#);
            prop_assert!(!masked(&body).contains(head));
        }
    }
}
