use super::super::StoreTarget;

#[test]
fn addresses_are_read() {
    for (text, shown) in [
        ("redis://10.0.0.1:6380/2", "redis://10.0.0.1:6380/2"),
        ("redis://redis.internal", "redis://redis.internal:6379/0"),
    ] {
        assert_eq!(StoreTarget::parse(text).unwrap().to_string(), shown);
    }
}

#[test]
fn other_addresses_are_refused_and_secrets_not_repeated() {
    for (text, part) in [
        ("rediss://10.0.0.1:6380", "redis://HOST:PORT"),
        ("unix:///run/redis.sock", "redis://HOST:PORT"),
        ("10.0.0.1:6379", "redis://HOST:PORT"),
        ("redis://10.0.0.1:70000", "redis://HOST:PORT"),
        ("redis://:hunter2@10.0.0.1", "`password`"),
        ("redis://anna:hunter2@10.0.0.1", "`password`"),
    ] {
        let error = StoreTarget::parse(text).unwrap_err();
        assert!(error.contains(part), "`{error}` does not say `{part}`");
        assert!(!error.contains("hunter2"));
    }
}

#[test]
fn only_address_and_password_make_another_connection() {
    let target = StoreTarget::parse("redis://10.0.0.1").unwrap();
    let mut other = target.clone();
    other.expected_gateways = 9;
    assert!(target.same_connection(&other));
    other.password = Some("x".into());
    assert!(!target.same_connection(&other));
    assert!(!format!("{other:?}").contains('x'));
}
