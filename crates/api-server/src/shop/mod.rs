//! The demo shop: what a person sees first after `cargo run`.
//!
//! Three pages (catalogue with cart, success, failure), one style sheet and three script modules,
//! all embedded in the binary. The pages are a client like any other: they use only the public HTTP
//! contract (`GET /api/v1/products`, checkout, confirm, read) and the payment window's browser
//! script, so the same page runs against the sandbox's script and against Toss's own.
//!
//! Invariants:
//! - No inline script or style and no outside resource; the Content-Security-Policy says so.
//! - What the server tells the page travels in `data-` attributes, HTML-escaped.
//! - Every page is the same for everybody: language and cart live in the browser, and nothing here
//!   reads a database.
//!
//! Deliberately absent: accounts, addresses, delivery. The shop sells to buyer 1 of the demo rows
//! and exists in embedded mode only. The policy lets the configured script load and nothing more; a
//! payment script that also opens frames or connections to other origins needs a wider one.

use std::future::ready;

use actix_web::http::header;
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpResponse, HttpResponseBuilder};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// What the pages need to know about the payment window.
#[derive(Clone, Debug)]
pub(crate) struct ShopSettings {
    /// Address of the browser script that defines `TossPayments`: a path on this server such as
    /// `/v2/standard`, or an absolute `http(s)` address such as
    /// `https://js.tosspayments.com/v2/standard`.
    pub script_url: String,
    /// The merchant's client key. It is public by nature: every buyer's browser sees it.
    pub client_key: String,
}

/// Registers the shop's pages and assets: `/`, `/shop/success`, `/shop/fail` and `/shop/assets/*`.
///
/// The pages are rendered once, here; clones of the returned function (one per actix worker) share
/// their bytes.
pub(crate) fn configure(settings: ShopSettings) -> impl FnOnce(&mut ServiceConfig) + Clone {
    let ShopSettings {
        script_url,
        client_key,
    } = settings;
    let policy = content_security_policy(&script_url);
    let page = |template: &str| Document {
        content_type: HTML,
        policy: Some(policy.clone()),
        body: Bytes::from(fill_in(template, &script_url, &client_key)),
    };
    let asset = |content_type, text: &'static str| Document {
        content_type,
        policy: None,
        body: Bytes::from_static(text.as_bytes()),
    };
    let documents = [
        ("/", page(include_str!("assets/index.html"))),
        ("/shop/success", page(include_str!("assets/success.html"))),
        ("/shop/fail", page(include_str!("assets/fail.html"))),
        (
            "/shop/assets/shop.css",
            asset(CSS, include_str!("assets/shop.css")),
        ),
        (
            "/shop/assets/shop.js",
            asset(JAVASCRIPT, include_str!("assets/shop.js")),
        ),
        (
            "/shop/assets/receipt.js",
            asset(JAVASCRIPT, include_str!("assets/receipt.js")),
        ),
        (
            "/shop/assets/page.js",
            asset(JAVASCRIPT, include_str!("assets/page.js")),
        ),
        (
            "/shop/assets/texts.js",
            asset(JAVASCRIPT, include_str!("assets/texts.js")),
        ),
    ];
    move |config: &mut ServiceConfig| {
        for (path, document) in documents {
            let for_head = document.clone();
            config.service(
                web::resource(path)
                    .route(web::get().to(move || ready(document.answer())))
                    .route(web::head().to(move || ready(for_head.answer()))),
            );
        }
    }
}

/// One embedded file, ready to be sent.
#[derive(Clone)]
struct Document {
    content_type: &'static str,
    policy: Option<String>,
    body: Bytes,
}

impl Document {
    fn answer(&self) -> HttpResponse {
        let mut response: HttpResponseBuilder = HttpResponse::Ok();
        response
            .content_type(self.content_type)
            // A new build may change any of them, and they are small.
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            // The success page's address carries a payment key; other sites must not see it.
            .insert_header((header::REFERRER_POLICY, "strict-origin-when-cross-origin"));
        if let Some(policy) = &self.policy {
            response.insert_header((header::CONTENT_SECURITY_POLICY, policy.as_str()));
        }
        response.body(self.body.clone())
    }
}

/// Puts the settings into a page's `{{script_url}}` and `{{client_key}}`.
///
/// One pass over the template, so a setting that itself looks like a placeholder stays text.
fn fill_in(template: &str, script_url: &str, client_key: &str) -> String {
    let mut filled = String::with_capacity(template.len() + 256);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        rest = after;
        if let Some(after_name) = after.strip_prefix("script_url}}") {
            filled.push_str(&escape(script_url));
            rest = after_name;
        } else if let Some(after_name) = after.strip_prefix("client_key}}") {
            filled.push_str(&escape(client_key));
            rest = after_name;
        } else {
            filled.push_str("{{");
        }
    }
    filled.push_str(rest);
    filled
}

/// Escapes text for an HTML attribute value in double quotes, and for element content.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn content_security_policy(script_url: &str) -> String {
    let script_source = origin(script_url).map_or(String::new(), |origin| format!(" {origin}"));
    format!(
        "default-src 'self'; script-src 'self'{script_source}; style-src 'self'; \
         img-src 'self' data:; connect-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'"
    )
}

/// The origin of an absolute `http(s)` address, or `None` for a path on this server.
///
/// An authority with a character that no host and port has (a space, `;`, `'`, user information)
/// counts as none: it could otherwise add directives to the policy. Such a script is then blocked
/// by the browser, which is the safe side.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if scheme != "http" && scheme != "https" {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let is_plain = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | ':' | '[' | ']')
    };
    (!authority.is_empty() && authority.chars().all(is_plain))
        .then(|| format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use actix_web::http::{Method, StatusCode};
    use actix_web::{App, test as http};

    use super::*;

    const TOSS_SCRIPT: &str = "https://js.tosspayments.com/v2/standard";

    fn settings(script_url: &str, client_key: &str) -> ShopSettings {
        ShopSettings {
            script_url: script_url.to_owned(),
            client_key: client_key.to_owned(),
        }
    }

    struct Answer {
        status: StatusCode,
        content_type: String,
        policy: Option<String>,
        body: String,
    }

    async fn fetch(settings: ShopSettings, method: Method, path: &str) -> Answer {
        let app = http::init_service(App::new().configure(configure(settings))).await;
        let request = http::TestRequest::with_uri(path)
            .method(method)
            .to_request();
        let response = http::call_service(&app, request).await;
        let text = |name| {
            let value = response.headers().get(name)?;
            Some(value.to_str().expect("ASCII").to_owned())
        };
        Answer {
            status: response.status(),
            content_type: text(header::CONTENT_TYPE).unwrap_or_default(),
            policy: text(header::CONTENT_SECURITY_POLICY),
            body: String::from_utf8(http::read_body(response).await.to_vec()).expect("UTF-8"),
        }
    }

    #[actix_web::test]
    async fn each_route_answers_with_its_content_type() {
        for (path, content_type) in [
            ("/", HTML),
            ("/shop/success?orderId=a&paymentKey=b&amount=1", HTML),
            ("/shop/fail?code=PAY_PROCESS_CANCELED", HTML),
            ("/shop/assets/shop.css", CSS),
            ("/shop/assets/shop.js", JAVASCRIPT),
            ("/shop/assets/receipt.js", JAVASCRIPT),
            ("/shop/assets/page.js", JAVASCRIPT),
            ("/shop/assets/texts.js", JAVASCRIPT),
        ] {
            let answer = fetch(settings("/v2/standard", "test_ck_1"), Method::GET, path).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            assert_eq!(answer.content_type, content_type, "{path}");
            assert!(!answer.body.is_empty(), "{path}");
            assert_eq!(answer.policy.is_some(), content_type == HTML, "{path}");
            assert!(!answer.body.contains("{{"), "{path} has a placeholder left");
        }
    }

    #[actix_web::test]
    async fn head_is_answered_like_get() {
        let answer = fetch(settings("/v2/standard", "test_ck_1"), Method::HEAD, "/").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.content_type, HTML);
    }

    #[actix_web::test]
    async fn the_page_carries_the_settings() {
        let answer = fetch(settings(TOSS_SCRIPT, "test_ck_1"), Method::GET, "/").await;
        assert!(answer.body.contains(r#"data-client-key="test_ck_1""#));
        assert!(answer.body.contains(&format!(r#"src="{TOSS_SCRIPT}""#)));
    }

    #[actix_web::test]
    async fn settings_are_escaped() {
        let hostile = r#""><script>alert('&')</script>{{script_url}}"#;
        let answer = fetch(settings(hostile, hostile), Method::GET, "/").await;
        assert!(!answer.body.contains("<script>alert"));
        let escaped = "&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;{{script_url}}";
        assert!(
            answer
                .body
                .contains(&format!(r#"data-client-key="{escaped}""#))
        );
        assert!(answer.body.contains(&format!(r#"src="{escaped}""#)));
    }

    #[actix_web::test]
    async fn the_policy_carries_the_origin_of_an_absolute_script() {
        let answer = fetch(settings(TOSS_SCRIPT, "test_ck_1"), Method::GET, "/").await;
        let policy = answer.policy.expect("a policy");
        assert!(
            policy.contains("script-src 'self' https://js.tosspayments.com;"),
            "{policy}"
        );
        assert!(policy.contains("connect-src 'self';"), "{policy}");
    }

    #[actix_web::test]
    async fn the_policy_of_a_local_script_is_self_alone() {
        let answer = fetch(
            settings("/v2/standard", "test_ck_1"),
            Method::GET,
            "/shop/success",
        )
        .await;
        assert_eq!(
            answer.policy.expect("a policy"),
            "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        );
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_or_nothing() {
        assert_eq!(origin("/v2/standard"), None);
        assert_eq!(
            origin("http://127.0.0.1:9090/v2?x#y").as_deref(),
            Some("http://127.0.0.1:9090")
        );
        assert_eq!(
            origin("https://[::1]:9090").as_deref(),
            Some("https://[::1]:9090")
        );
        assert_eq!(origin("javascript://x/"), None);
        assert_eq!(origin("https://a.test;script-src *"), None);
        assert_eq!(origin("https://user@a.test/"), None);
        assert_eq!(origin("https:///path"), None);
    }

    #[test]
    fn the_pages_hold_no_inline_script_or_style_and_nothing_from_outside() {
        for page in [
            include_str!("assets/index.html"),
            include_str!("assets/success.html"),
            include_str!("assets/fail.html"),
        ] {
            assert!(!page.contains(" style="));
            assert!(!page.contains("<style"));
            assert!(
                !page.contains(" on"),
                "an inline handler, or a word that looks like one"
            );
            assert!(!page.contains("src=\"http"));
            assert!(!page.contains("href=\"http"));
            let scripts = page.matches("<script").count();
            assert_eq!(scripts, page.matches(" src=\"").count());
        }
    }
}
