use std::time::Duration;

use kernel::Timestamp;

use super::{EventType, InvalidTarget, SigningSecret, Target, TargetRules};

/// The most endpoints at a time.
pub const ENDPOINTS_MAX: u32 = 20;
/// How long a secret that was replaced still signs besides the new one.
pub const OLD_SECRET_VALID: Duration = Duration::from_hours(24);
/// The longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// Where an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointState {
    /// Events are sent to it.
    Enabled,
    /// An operator turned it off. What is pending waits; no new events are taken for it.
    Disabled,
    /// It answered 410 Gone, which turns it off until an operator turns it on again.
    Gone,
}

impl EndpointState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Enabled, Self::Disabled, Self::Gone];

    /// The stored spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::Disabled => "DISABLED",
            Self::Gone => "GONE",
        }
    }

    /// The state with this stored spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A merchant's server that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id: `ep_` and 32 hexadecimal characters.
    pub id: String,
    /// Where events are sent, at most [`URL_CHARS_MAX`](super::URL_CHARS_MAX) characters.
    pub url: String,
    /// Which types it wants, without repetition; empty for all.
    pub types: Vec<EventType>,
    /// For people, at most 200 characters.
    pub description: String,
    /// Where it stands.
    pub state: EndpointState,
    /// What its events are signed with.
    pub secret: SigningSecret,
    /// What they are signed with besides, and until when.
    pub old_secret: Option<(SigningSecret, Timestamp)>,
    /// How often it was changed; whoever changes it must have seen the last change.
    pub revision: i64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// What an operator registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    /// Where events are sent.
    pub url: String,
    /// Which types it wants; empty for all.
    pub types: Vec<EventType>,
    /// For people.
    pub description: String,
    /// Whether it is told from the first.
    pub enabled: bool,
}

/// What an operator changes. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointPatch {
    /// Where events are sent.
    pub url: Option<String>,
    /// Which types it wants; empty for all.
    pub types: Option<Vec<EventType>>,
    /// For people.
    pub description: Option<String>,
    /// Whether it is told.
    pub enabled: Option<bool>,
}

/// Why an endpoint cannot be like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Nothing may be sent to its URL.
    #[error(transparent)]
    Target(#[from] InvalidTarget),
    /// A type is named twice, or is not to be chosen.
    #[error("types must name event types, each once")]
    Types,
    /// Longer than 200 characters.
    #[error("description has more than {DESCRIPTION_CHARS_MAX} characters")]
    Description,
}

fn check_types(types: &[EventType]) -> Result<(), InvalidEndpoint> {
    let is_choosable = |wanted: &EventType| EventType::ALL.contains(wanted);
    let mut seen = types.to_vec();
    seen.sort();
    seen.dedup();
    if seen.len() == types.len() && types.iter().all(is_choosable) {
        Ok(())
    } else {
        Err(InvalidEndpoint::Types)
    }
}

fn check_description(text: &str) -> Result<(), InvalidEndpoint> {
    if text.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(InvalidEndpoint::Description);
    }
    Ok(())
}

fn state(enabled: bool) -> EndpointState {
    if enabled {
        EndpointState::Enabled
    } else {
        EndpointState::Disabled
    }
}

impl NewEndpoint {
    /// The endpoint that this registers.
    ///
    /// # Errors
    /// When it cannot be like this.
    pub fn registered(
        self,
        id: String,
        secret: SigningSecret,
        rules: TargetRules,
        now: Timestamp,
    ) -> Result<Endpoint, InvalidEndpoint> {
        Target::parse(&self.url, rules)?;
        check_types(&self.types)?;
        check_description(&self.description)?;
        Ok(Endpoint {
            id,
            url: self.url,
            types: self.types,
            description: self.description,
            state: state(self.enabled),
            secret,
            old_secret: None,
            revision: 0,
            created_at: now,
            updated_at: now,
        })
    }
}

impl Endpoint {
    /// Whether it is told of events of this type now.
    pub fn wants(&self, event_type: EventType) -> bool {
        let chosen = self.types.is_empty() || self.types.contains(&event_type);
        self.state == EndpointState::Enabled && (chosen || event_type == EventType::Test)
    }

    /// Its secrets at this moment, the newest first.
    pub fn secrets(&self, now: Timestamp) -> Vec<&SigningSecret> {
        let old = self.old_secret.as_ref().filter(|(_, until)| *until > now);
        let old = old.map(|(secret, _)| secret);
        [&self.secret].into_iter().chain(old).collect()
    }

    /// The endpoint after an operator's change.
    ///
    /// # Errors
    /// When it cannot be like this.
    pub fn patched(
        mut self,
        patch: &EndpointPatch,
        rules: TargetRules,
        now: Timestamp,
    ) -> Result<Self, InvalidEndpoint> {
        if let Some(url) = &patch.url {
            Target::parse(url, rules)?;
            self.url.clone_from(url);
        }
        if let Some(types) = &patch.types {
            check_types(types)?;
            self.types.clone_from(types);
        }
        if let Some(description) = &patch.description {
            check_description(description)?;
            self.description.clone_from(description);
        }
        if let Some(enabled) = patch.enabled {
            self.state = state(enabled);
        }
        Ok(self.changed(now))
    }

    /// The endpoint with a new secret; the one it had signs besides for [`OLD_SECRET_VALID`].
    #[must_use]
    pub fn rotated(mut self, secret: SigningSecret, now: Timestamp) -> Self {
        let old = std::mem::replace(&mut self.secret, secret);
        self.old_secret = Some((old, now + OLD_SECRET_VALID));
        self.changed(now)
    }

    /// The endpoint after it said that it is gone.
    #[must_use]
    pub fn gone(mut self, now: Timestamp) -> Self {
        self.state = EndpointState::Gone;
        self.changed(now)
    }

    fn changed(mut self, now: Timestamp) -> Self {
        self.old_secret = self.old_secret.filter(|(_, until)| *until > now);
        self.revision += 1;
        self.updated_at = now;
        self
    }
}

#[cfg(test)]
mod tests {
    use kernel::{SystemRandomness, from_micros};

    use super::*;

    const RULES: TargetRules = TargetRules {
        allow_private: false,
    };
    const HOUR: Duration = Duration::from_hours(1);

    fn new() -> NewEndpoint {
        NewEndpoint {
            url: "https://hooks.example.com/".to_owned(),
            types: vec![EventType::PaymentDone],
            description: String::new(),
            enabled: true,
        }
    }

    fn secret() -> SigningSecret {
        SigningSecret::random(&SystemRandomness)
    }

    fn registered(new: NewEndpoint) -> Result<Endpoint, InvalidEndpoint> {
        new.registered("ep_1".to_owned(), secret(), RULES, from_micros(0))
    }

    #[test]
    fn an_old_secret_signs_for_a_day_and_only_the_last_one() {
        let start = from_micros(0);
        let first = registered(new()).unwrap();
        let [one, two, three] = [first.secret.clone(), secret(), secret()];
        let second = first.rotated(two.clone(), start);
        assert_eq!(second.secrets(start + 23 * HOUR), [&two, &one]);
        assert_eq!(second.secrets(start + 24 * HOUR), [&two]);
        let third = second.rotated(three.clone(), start + HOUR);
        assert_eq!(third.secrets(start + 2 * HOUR), [&three, &two]);
        assert_eq!(third.revision, 2);
        // Any change afterwards forgets it for good.
        let later = third.patched(&EndpointPatch::default(), RULES, start + 30 * HOUR);
        assert_eq!(later.unwrap().old_secret, None);
    }

    #[test]
    fn an_endpoint_is_told_what_it_chose_while_it_is_on() {
        let mut endpoint = registered(new()).unwrap();
        assert!(endpoint.wants(EventType::PaymentDone));
        assert!(!endpoint.wants(EventType::PaymentFailed));
        assert!(endpoint.wants(EventType::Test));
        endpoint.types.clear();
        assert!(EventType::ALL.into_iter().all(|each| endpoint.wants(each)));
        for state in [EndpointState::Disabled, EndpointState::Gone] {
            endpoint.state = state;
            assert!(!endpoint.wants(EventType::PaymentDone));
        }
        let on = EndpointPatch {
            enabled: Some(true),
            ..EndpointPatch::default()
        };
        let again = endpoint.gone(from_micros(1));
        let again = again.patched(&on, RULES, from_micros(2)).unwrap();
        assert_eq!(again.state, EndpointState::Enabled);
    }

    #[test]
    fn odd_endpoints_are_refused_and_odd_changes_too() {
        use InvalidEndpoint as I;
        let twice = vec![EventType::PaymentDone, EventType::PaymentDone];
        for (url, types, description, why) in [
            (
                "http://hooks.example.com/",
                vec![],
                0,
                I::Target(InvalidTarget::Scheme),
            ),
            (
                "https://10.0.0.1/",
                vec![],
                0,
                I::Target(InvalidTarget::NotPublic),
            ),
            ("https://hooks.example.com/", twice, 0, I::Types),
            (
                "https://hooks.example.com/",
                vec![EventType::Test],
                0,
                I::Types,
            ),
            ("https://hooks.example.com/", vec![], 201, I::Description),
        ] {
            let (url, description) = (url.to_owned(), "가".repeat(description));
            let patch = EndpointPatch {
                url: Some(url.clone()),
                types: Some(types.clone()),
                description: Some(description.clone()),
                enabled: None,
            };
            let odd = NewEndpoint {
                url,
                types,
                description,
                enabled: true,
            };
            assert_eq!(registered(odd), Err(why));
            let endpoint = registered(new()).unwrap();
            assert_eq!(endpoint.patched(&patch, RULES, from_micros(1)), Err(why));
        }
    }
}
