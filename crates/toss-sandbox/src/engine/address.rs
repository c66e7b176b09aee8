//! The addresses that a window's buyer is sent back to.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest return address taken, in bytes.
const URL_MAX: usize = 2_000;

/// Characters that stay as they are in a query value (RFC 3986, unreserved).
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Only absolute http(s) addresses: anything else, above all `javascript:`, is refused.
pub(super) fn is_return_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let scheme_is_http =
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let clean = |byte: u8| byte > b' ' && byte != 0x7f && byte != b'\\';
    scheme_is_http
        && url.len() <= URL_MAX
        && url.bytes().all(clean)
        && !rest.is_empty()
        && !rest.starts_with(['/', '?', '#'])
}

/// Adds pairs to an address's query, before its fragment.
pub(super) fn with_query(url: &str, pairs: &[(&str, String)]) -> String {
    let (address, fragment) = match url.split_once('#') {
        Some((address, fragment)) => (address, Some(fragment)),
        None => (url, None),
    };
    let mut result = address.to_owned();
    for (name, value) in pairs {
        let separator = if !result.contains('?') {
            "?"
        } else if result.ends_with(['?', '&']) {
            ""
        } else {
            "&"
        };
        result.push_str(separator);
        result.push_str(name);
        result.push('=');
        result.extend(utf8_percent_encode(value, QUERY_VALUE));
    }
    if let Some(fragment) = fragment {
        result.push('#');
        result.push_str(fragment);
    }
    // A header holds ASCII only; what else the shop's address has is encoded as browsers do.
    utf8_percent_encode(&result, CONTROLS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_http_addresses_are_return_addresses() {
        for good in [
            "http://127.0.0.1:8080/success",
            "HTTPS://shop.example",
            "https://쇼핑.kr/a?b=c",
        ] {
            assert!(is_return_url(good), "{good}");
        }
        for bad in [
            "",
            "/success",
            "javascript:alert(1)",
            "JavaScript:alert(1)//http://",
            "http://",
            "https:///x",
            "ftp://x",
            " http://x",
            "http://x/\r\nSet-Cookie: a=b",
            "http:x",
            "data:text/html,",
        ] {
            assert!(!is_return_url(bad), "{bad}");
        }
    }

    #[test]
    fn a_query_is_added_before_the_fragment_and_after_an_existing_one() {
        assert_eq!(
            with_query("http://a/s", &[("k", "가 &".to_owned())]),
            "http://a/s?k=%EA%B0%80%20%26"
        );
        assert_eq!(
            with_query(
                "http://a/s?x=1#top",
                &[("k", "v".to_owned()), ("l", "w".to_owned())]
            ),
            "http://a/s?x=1&k=v&l=w#top"
        );
        assert_eq!(
            with_query("http://a/s?", &[("k", "v".to_owned())]),
            "http://a/s?k=v"
        );
    }
}
