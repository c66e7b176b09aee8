//! The contract of [`UserRepository`]: every adapter passes [`all`].

use std::sync::Arc;

use kernel::{Clock, SystemClock, UserId};

use crate::model::UserProfile;
use crate::port::UserRepository;

/// Runs the whole contract.
///
/// # Panics
/// When the adapter breaks the contract.
pub async fn all(repository: Arc<dyn UserRepository>) {
    let id = UserId::new(4_711).expect("a user id");
    let now = SystemClock.now();
    let profile = |name: &str| UserProfile {
        username: name.into(),
        email: "kim@example.kr".into(),
    };
    assert_eq!(repository.find(id).await.expect("find"), None);

    let first = repository
        .put(id, &profile("김철수"), "key-1", now)
        .await
        .expect("put");
    assert_eq!(
        (first.profile.username.as_str(), first.customer_key.as_str()),
        ("김철수", "key-1")
    );
    assert_eq!(repository.find(id).await.expect("find"), Some(first));

    let renamed = repository
        .put(id, &profile("김영희"), "key-2", now)
        .await
        .expect("put");
    assert_eq!(
        (
            renamed.profile.username.as_str(),
            renamed.customer_key.as_str()
        ),
        ("김영희", "key-1")
    );
    assert_eq!(repository.find(id).await.expect("find"), Some(renamed));

    let racers = (0..8).map(|n| {
        let repository = Arc::clone(&repository);
        let profile = profile("동시");
        async move {
            let id = UserId::new(4_712).expect("a user id");
            repository
                .put(id, &profile, &format!("racer-{n}"), now)
                .await
                .expect("put")
                .customer_key
        }
    });
    let keys = futures::future::join_all(racers).await;
    assert!(
        keys.iter().all(|key| key == &keys[0]),
        "one buyer got two customer keys: {keys:?}"
    );
}
