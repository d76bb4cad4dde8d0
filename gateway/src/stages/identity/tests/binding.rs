//! The credential's place in the request.

use super::rig::Rig;
use crate::base::code::Code::{self, *};

#[tokio::test]
async fn exactly_one_bearer_token() {
    let rig = Rig::new();
    let good = rig.good();
    let bearer = format!("Bearer {good}");
    let line = |prefix: &str| format!("{prefix}{good}");
    let cases: Vec<(Vec<String>, Option<&str>, Option<Code>)> = vec![
        (vec![bearer.clone()], None, None),
        (vec![line("bearer ")], None, None),
        (vec![line("BEARER ")], None, None),
        (
            vec![bearer.clone()],
            Some("a=access_token&xaccess_token=1&access_tokens=2&Access_Token=3"),
            None,
        ),
        (vec![], None, Some(IdentityMissing)),
        (vec![bearer.clone(), bearer.clone()], None, Some(IdentityAmbiguous)),
        (vec![bearer.clone(), "Basic YTpi".into()], None, Some(IdentityAmbiguous)),
        (vec![bearer.clone()], Some("access_token=x"), Some(IdentityAmbiguous)),
        (vec![bearer.clone()], Some("a=b&access%5Ftoken=x"), Some(IdentityAmbiguous)),
        (vec![bearer.clone()], Some("%61ccess_token"), Some(IdentityAmbiguous)),
        (vec![], Some("access_token=x"), Some(IdentityMissing)),
        (vec!["Basic YTpi".into()], None, Some(IdentityMissing)),
        (vec![line("DPoP ")], None, Some(IdentityMissing)),
        (vec![line("JWT ")], None, Some(IdentityMissing)),
        (vec![good.clone()], None, Some(IdentityMissing)),
        (vec![String::new()], None, Some(IdentityMissing)),
        (vec!["Bearer".into()], None, Some(IdentityMalformed)),
        (vec!["Bearer ".into()], None, Some(IdentityMalformed)),
        (vec![line("Bearer  ")], None, Some(IdentityMalformed)),
        (vec![line("Bearer\t")], None, Some(IdentityMissing)),
        (vec![format!("{bearer}, {bearer}")], None, Some(IdentityMalformed)),
        (vec![format!("{bearer} ")], None, Some(IdentityMalformed)),
        (vec!["Bearer \u{e9}".into()], None, Some(IdentityMalformed)),
    ];
    for (fields, query, code) in cases {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let found = rig.request(&fields, query).await.err().map(|finding| finding.code);
        assert_eq!(found, code, "{fields:?} {query:?}");
    }
}

/// RFC 6750 §3.1: no error code without a credential; 400 for two.
#[tokio::test]
async fn answers_without_one_token() {
    let rig = Rig::new();
    let missing = rig.request(&[], None).await.unwrap_err();
    assert_eq!(missing.headers[0].1, "Bearer realm=\"yett\"");
    let two = rig.request(&["Bearer a", "Bearer b"], None).await.unwrap_err();
    assert_eq!(two.code.status(), 400);
    assert!(two.headers[0].1.to_str().unwrap().contains("error=\"invalid_request\""));
}

/// Optional means absent, never invalid.
#[tokio::test]
async fn where_a_token_is_optional() {
    let mut rig = Rig::new();
    rig.plan.optional = true;
    assert!(rig.request(&[], None).await.unwrap().0.is_none());
    assert!(rig.present(&rig.good()).await.unwrap().0.is_some());
    let expired = rig.claiming(serde_json::json!({ "exp": 1 }));
    let cases = [
        (vec![format!("Bearer {expired}")], None, IdentityExpired),
        (vec!["Bearer x".to_owned()], None, IdentityMalformed),
        (vec!["Basic YTpi".to_owned()], None, IdentityMissing),
        (vec![], Some("access_token=x"), IdentityMissing),
    ];
    for (fields, query, code) in cases {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        assert_eq!(rig.request(&fields, query).await.unwrap_err().code, code, "{fields:?}");
    }
}
