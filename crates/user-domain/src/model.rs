use std::fmt;

use kernel::UserId;

/// What an operator says of a buyer.
#[derive(Clone, PartialEq, Eq)]
pub struct UserProfile {
    /// 1 to 100 characters.
    pub username: String,
    /// An address with one `@` inside, at most 254 characters (RFC 5321's limit of a path).
    pub email: String,
}

/// A buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id that shops use.
    pub id: UserId,
    /// Name and address: personal data, never logged.
    pub profile: UserProfile,
    /// Toss's `customerKey`: 32 hexadecimal characters that say nothing of the buyer.
    pub customer_key: String,
}

/// Why a profile is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUser {
    /// The name is empty or too long.
    #[error("a username must have 1 to 100 characters")]
    Username,
    /// Not an e-mail address.
    #[error("an email must look like name@host and have at most 254 characters")]
    Email,
}

impl UserProfile {
    /// Refuses names and addresses out of range.
    pub fn check(&self) -> Result<(), InvalidUser> {
        if self.username.trim().is_empty() || self.username.chars().count() > 100 {
            return Err(InvalidUser::Username);
        }
        let plausible = self.email.len() <= 254
            && !self
                .email
                .chars()
                .any(|c| c.is_whitespace() || c.is_control())
            && self.email.split_once('@').is_some_and(|(name, host)| {
                !name.is_empty() && !host.is_empty() && !host.contains('@')
            });
        if plausible {
            Ok(())
        } else {
            Err(InvalidUser::Email)
        }
    }
}

impl fmt::Debug for UserProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserProfile(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(username: &str, email: &str) -> UserProfile {
        UserProfile {
            username: username.into(),
            email: email.into(),
        }
    }

    #[test]
    fn addresses_need_a_name_and_a_host() {
        assert_eq!(profile("철수", "a@b.kr").check(), Ok(()));
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            &format!("{}@b", "a".repeat(254)),
        ] {
            assert_eq!(
                profile("철수", bad).check(),
                Err(InvalidUser::Email),
                "{bad}"
            );
        }
        assert_eq!(profile(" ", "a@b").check(), Err(InvalidUser::Username));
    }

    #[test]
    fn debug_output_shows_no_personal_data() {
        let shown = format!("{:?}", profile("철수", "a@b.kr"));
        assert!(!shown.contains("철수") && !shown.contains("a@b.kr"));
    }
}
