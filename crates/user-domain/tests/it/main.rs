//! The in-memory repository keeps the same contract as the real ones, and the service its own.

use std::sync::Arc;

use kernel::{SystemClock, SystemIds, SystemRandomness, UserId};
use user_domain::testing::{InMemoryUsers, contract};
use user_domain::{
    InvalidUser, MockUserRepository, PutError, UserProfile, UserReceiver, UserService,
};

fn service(repository: Arc<dyn user_domain::UserRepository>) -> UserService {
    let ids = SystemIds::new(Arc::new(SystemClock), Arc::new(SystemRandomness));
    UserService::new(repository, Arc::new(SystemClock), Arc::new(ids))
}

#[tokio::test]
async fn the_fake_keeps_the_repository_s_contract() {
    contract::all(Arc::new(InMemoryUsers::new())).await;
}

#[tokio::test]
async fn a_new_buyer_gets_a_customer_key_that_stays() {
    let service = service(Arc::new(InMemoryUsers::new()));
    let id = UserId::new(1).unwrap();
    let profile = UserProfile {
        username: "a".into(),
        email: "a@b".into(),
    };
    let first = service.put(id, &profile).await.unwrap();
    assert_eq!(first.customer_key.len(), 32);
    assert_eq!(
        service.put(id, &profile).await.unwrap().customer_key,
        first.customer_key
    );
    assert_eq!(service.find(id).await.unwrap(), Some(first));
}

#[tokio::test]
async fn a_bad_profile_reaches_no_store() {
    let service = service(Arc::new(MockUserRepository::new()));
    let profile = UserProfile {
        username: "a".into(),
        email: "nobody".into(),
    };
    let refused = service.put(UserId::new(1).unwrap(), &profile).await;
    assert!(matches!(
        refused,
        Err(PutError::Invalid(InvalidUser::Email))
    ));
}
