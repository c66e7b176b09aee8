//! Where events may be sent. An operator's slip, or a name that changes its address, must not turn this
//! server against the network that it stands in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The longest URL of an endpoint, in characters.
pub const URL_CHARS_MAX: usize = 2_000;

/// What may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetRules {
    /// Whether addresses of private networks may be called, and `http` used besides `https`.
    pub allow_private: bool,
}

/// Why nothing can be sent there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// It is longer than [`URL_CHARS_MAX`].
    #[error("url has more than {URL_CHARS_MAX} characters")]
    TooLong,
    /// It is no URL with a host.
    #[error("url is not a URL with a host")]
    Unreadable,
    /// Another scheme.
    #[error("url must begin with https://")]
    Scheme,
    /// A name or password in it would be stored and shown.
    #[error("url must not contain a user or a password")]
    UserInfo,
    /// A fragment is never sent.
    #[error("url must not contain a fragment")]
    Fragment,
    /// It names an address that is not a public one.
    #[error("url names an address that is not public")]
    NotPublic,
}

/// A URL that events may be sent to, as far as the text tells: what its name leads to is known only
/// when it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Url);

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// When nothing may be sent there.
    pub fn parse(text: &str, rules: TargetRules) -> Result<Self, InvalidTarget> {
        if text.chars().count() > URL_CHARS_MAX {
            return Err(InvalidTarget::TooLong);
        }
        let url = Url::parse(text).map_err(|_| InvalidTarget::Unreadable)?;
        if url.as_str().len() > URL_CHARS_MAX {
            return Err(InvalidTarget::TooLong);
        }
        match url.scheme() {
            "https" => {}
            "http" if rules.allow_private => {}
            _ => return Err(InvalidTarget::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidTarget::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(InvalidTarget::Fragment);
        }
        let is_public = match url.host() {
            None => return Err(InvalidTarget::Unreadable),
            // The parser has turned every spelling of an address into one of these.
            Some(Host::Ipv4(address)) => is_public(address.into()),
            Some(Host::Ipv6(address)) => is_public(address.into()),
            Some(Host::Domain(name)) => !is_local(name),
        };
        if !is_public && !rules.allow_private {
            return Err(InvalidTarget::NotPublic);
        }
        Ok(Self(url))
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

/// Names that mean this machine whatever a name server says (RFC 6761).
fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether this address is one of the public Internet: the only ones that are called unless private
/// networks are allowed (IANA's special-purpose registries, RFC 6890 and its successors).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match (a, b, c) {
        // This network, private, loopback.
        (0 | 10 | 127, ..) => true,
        // Shared by carriers' NATs.
        (100, 64..=127, _) => true,
        // Link-local; cloud providers' metadata.
        (169, 254, _) => true,
        (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, documentation, 6to4 relays, AS 112, AMT.
        (192, 0, 0 | 2) | (192, 88, 99) | (192, 31, 196) | (192, 52, 193) | (192, 175, 48) => true,
        // Benchmarks, documentation.
        (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        // Multicast, reserved, broadcast.
        (224.., ..) => true,
        _ => false,
    };
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Only 2000::/3 is given out. Unspecified, loopback, mapped and translated IPv4, unique local,
    // link-local and multicast addresses are all outside of it.
    if segments[0] & 0xe000 != 0x2000 {
        return false;
    }
    let is_special = match (segments[0], segments[1]) {
        // 2001::/23: Teredo, benchmarks, ORCHID and other protocols.
        (0x2001, 0..=0x01ff) => true,
        // Documentation.
        (0x2001, 0x0db8) => true,
        (0x3fff, 0..=0x0fff) => true,
        // 6to4: an IPv4 address inside.
        (0x2002, _) => true,
        _ => false,
    };
    !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: TargetRules = TargetRules {
        allow_private: false,
    };
    const LAX: TargetRules = TargetRules {
        allow_private: true,
    };

    #[test]
    fn only_public_addresses_are_public() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "211.33.136.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2400::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }

    #[test]
    fn a_url_is_refused_for_what_it_says() {
        use InvalidTarget as I;
        let long = format!("https://hooks.example.com/{}", "x".repeat(URL_CHARS_MAX));
        for (url, why) in [
            ("", I::Unreadable),
            ("hooks.example.com", I::Unreadable),
            ("https://", I::Unreadable),
            ("http://hooks.example.com/", I::Scheme),
            ("ftp://hooks.example.com/", I::Scheme),
            ("file:///etc/passwd", I::Scheme),
            ("https://user@hooks.example.com/", I::UserInfo),
            ("https://user:pass@hooks.example.com/", I::UserInfo),
            ("https://:pass@hooks.example.com/", I::UserInfo),
            ("https://hooks.example.com/#part", I::Fragment),
            ("https://hooks.example.com/#", I::Fragment),
            ("https://127.0.0.1/", I::NotPublic),
            ("https://2130706433/", I::NotPublic),
            ("https://0x7f.1/", I::NotPublic),
            ("https://017700000001/", I::NotPublic),
            ("https://127.1/", I::NotPublic),
            ("https://[::1]/", I::NotPublic),
            ("https://[::ffff:10.0.0.1]/", I::NotPublic),
            ("https://169.254.169.254/latest/meta-data/", I::NotPublic),
            ("https://localhost/", I::NotPublic),
            ("https://LOCALHOST./", I::NotPublic),
            ("https://a.localhost:8443/", I::NotPublic),
            (long.as_str(), I::TooLong),
        ] {
            assert_eq!(Target::parse(url, STRICT), Err(why), "{url}");
        }
        for good in [
            "https://hooks.example.com/payments?shop=1",
            "https://8.8.8.8:8443/",
            "https://[2606:4700::1]/",
            "https://훅.example.com/",
        ] {
            assert!(Target::parse(good, STRICT).is_ok(), "{good}");
        }
    }

    #[test]
    fn private_networks_can_be_allowed_and_nothing_else() {
        for good in [
            "http://127.0.0.1:9000/hook",
            "http://localhost/",
            "https://10.0.0.1/",
        ] {
            assert!(Target::parse(good, LAX).is_ok(), "{good}");
        }
        for bad in [
            "ftp://127.0.0.1/",
            "http://a:b@localhost/",
            "http://localhost/#x",
        ] {
            assert!(Target::parse(bad, LAX).is_err(), "{bad}");
        }
    }
}
