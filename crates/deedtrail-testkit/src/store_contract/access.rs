//! Tokens, sign-in links and sessions.

use deedtrail_core::id::TenantId;
use deedtrail_core::port::store::{Scope, SignInLink, Store, TokenRecord, WebSession};

use super::{Outcome, second};

pub(super) fn tokens(store: &dyn Store) -> Outcome {
    let good = token("dt_1", "h1");
    store.put_token(good.clone())?;
    assert!(
        store.put_token(token("dt_1", "h2")).is_err(),
        "a prefix was taken twice"
    );
    assert_eq!(store.token_by_hash("h1")?.as_ref(), Some(&good));
    assert_eq!(store.token_by_hash("h2")?, None);
    store.touch_token("dt_1", second(8))?;
    store.touch_token("dt_1", second(7))?;
    assert!(store.revoke_token("dt_1", second(9))?);
    assert!(!store.revoke_token("dt_1", second(10))?);
    assert!(!store.revoke_token("dt_2", second(10))?);
    let (last_used, revoked) = (Some(second(8)), Some(second(9)));
    assert_eq!(
        store.tokens()?,
        [TokenRecord {
            last_used,
            revoked,
            ..good
        }]
    );
    Ok(())
}

pub(super) fn sign_in_and_sessions(store: &dyn Store) -> Outcome {
    store.put_sign_in_link(link("l1", "ana"))?;
    store.put_sign_in_link(link("l2", "ben"))?;
    assert_eq!(store.take_sign_in_link("l0", second(1))?, None);
    let ana = store.take_sign_in_link("l1", second(9))?;
    assert_eq!(ana, Some(link("l1", "ana")));
    let again = store.take_sign_in_link("l1", second(9))?;
    assert_eq!(again, None, "a link worked twice");
    let late = store.take_sign_in_link("l2", second(10))?;
    assert_eq!(late, None, "a link worked after its end");
    store.put_sign_in_link(link("l3", "ana"))?;
    store.put_sign_in_link(link("l4", "ana"))?;
    let older = store.take_sign_in_link("l3", second(1))?;
    assert_eq!(older, None, "a link worked after a newer one was made");
    let newer = store.take_sign_in_link("l4", second(1))?;
    assert_eq!(newer, Some(link("l4", "ana")));
    let session = WebSession {
        hash: "s1".into(),
        principal: "admin".into(),
        tenant: TenantId::default(),
        created: second(1),
        last_used: second(1),
        absolute_end: second(99),
        scopes: vec![Scope::Read],
    };
    store.put_session(session.clone())?;
    store.touch_session("s1", second(5))?;
    let touched = WebSession {
        last_used: second(5),
        ..session
    };
    assert_eq!(store.session_by_hash("s1")?, Some(touched));
    store.end_session("s1")?;
    assert_eq!(store.session_by_hash("s1")?, None);
    Ok(())
}

pub(super) fn token(prefix: &str, hash: &str) -> TokenRecord {
    TokenRecord {
        prefix: prefix.into(),
        hash: hash.into(),
        name: "shipper".into(),
        tenant: TenantId::default(),
        scopes: vec![Scope::Ingest, Scope::Read],
        created: second(1),
        expires: Some(second(100)),
        last_used: None,
        revoked: None,
    }
}

fn link(hash: &str, principal: &str) -> SignInLink {
    SignInLink {
        hash: hash.into(),
        principal: principal.into(),
        tenant: TenantId::default(),
        scopes: vec![Scope::Read, Scope::Write],
        ends: second(10),
    }
}
