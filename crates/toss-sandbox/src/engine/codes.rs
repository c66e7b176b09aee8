//! Toss's codes of banks and card companies.

/// Banks and securities firms by Toss's two-character code, with their Korean names (Toss, list
/// of institution codes; securities firms are known by the first letter alone).
const BANKS: [(&str, &str); 26] = [
    ("02", "산업"),
    ("03", "기업"),
    ("06", "국민"),
    ("07", "수협"),
    ("11", "농협"),
    ("12", "단위농협"),
    ("20", "우리"),
    ("23", "SC제일"),
    ("27", "씨티"),
    ("31", "대구"),
    ("32", "부산"),
    ("34", "광주"),
    ("35", "제주"),
    ("37", "전북"),
    ("39", "경남"),
    ("45", "새마을"),
    ("48", "신협"),
    ("50", "저축"),
    ("54", "HSBC"),
    ("64", "산림"),
    ("71", "우체국"),
    ("81", "하나"),
    ("88", "신한"),
    ("89", "케이"),
    ("90", "카카오"),
    ("92", "토스"),
];

/// A bank's code, given as code or as Korean name: Toss takes both in requests.
pub(super) fn bank(text: &str) -> Option<&str> {
    let name = text.strip_suffix("은행").unwrap_or(text);
    let found = BANKS
        .iter()
        .find(|(code, korean)| *code == text || *korean == name);
    match found {
        Some((code, _)) => Some(code),
        None => is_securities_firm(text).then_some(text),
    }
}

/// Whether there is such a bank.
pub(super) fn is_bank(text: &str) -> bool {
    bank(text).is_some()
}

fn is_securities_firm(text: &str) -> bool {
    text.len() == 2
        && text.starts_with('S')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether there is such a bank by the three-digit code of payouts.
pub(super) fn is_payout_bank(text: &str) -> bool {
    text.len() == 3
        && text
            .strip_prefix('0')
            .is_some_and(|code| BANKS.iter().any(|bank| bank.0 == code))
}

/// The issuer of a card by its first digits. Test cards begin with 941000; what issues other
/// numbers is assumed.
pub(super) fn issuer(number: &str) -> &'static str {
    match number.as_bytes() {
        [b'9', ..] => "11",
        [b'4', ..] => "41",
        [b'5', ..] => "51",
        _ => "61",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banks_are_known_by_code_and_by_name() {
        assert_eq!(bank("20"), Some("20"));
        assert_eq!(bank("우리"), Some("20"));
        assert_eq!(bank("우리은행"), Some("20"));
        assert_eq!(bank("SK"), Some("SK"));
        assert!(bank("99").is_none() && bank("").is_none());
        assert!(is_payout_bank("092") && !is_payout_bank("92") && !is_payout_bank("099"));
    }
}
