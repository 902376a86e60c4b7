//! Who may do what: API tokens, one-time sign-in links, browser sessions.
//!
//! Tokens are stored as prefix and SHA-256; the token itself is shown once. Random 256-bit values
//! need no slow hash (ASVS 5.0, 11.5.1).

use deedtrail_core::Text;
use deedtrail_core::custody::{Act, Subject, SubjectKind};
use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::{AppendError, Sequence};
use deedtrail_core::port::store::{Scope, SignInLink, StoreError, TokenRecord, WebSession};
use deedtrail_core::time::Timestamp;
use deedtrail_core::visible::is_deceptive;
use sha2::{Digest as _, Sha256};

use crate::App;
use crate::custody::{self, Deed};

/// A browser session ends after this much silence, µs.
pub const SESSION_IDLE_US: i64 = 12 * Timestamp::HOUR_US;
/// A browser session ends after this long whatever happens, µs.
pub const SESSION_ABSOLUTE_US: i64 = 7 * Timestamp::DAY_US;
/// A one-time sign-in link works for this long, µs.
pub const SIGN_IN_LINK_US: i64 = 24 * Timestamp::HOUR_US;
/// `last_used` is written at most this often, µs.
const TOUCH_US: i64 = Timestamp::MINUTE_US;
/// Longest name of a person who signs in, characters.
pub const PERSON_CHARACTERS_MAX: usize = 80;
/// Whom the link signs in that a server prints before anybody has signed in.
const FIRST_PERSON: &str = "admin";
/// Setting that is there once somebody has signed in.
const SIGNED_IN: &str = "access.signed_in";
/// What every token starts with, so that secret scanners know it.
pub const TOKEN_PREFIX: &str = "dt_";

/// Who acts, for which tenant, with which scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// `local` (the owner of the data folder), a person's name, or `token:<prefix>`.
    pub name: Text,
    pub tenant: TenantId,
    pub scopes: Vec<Scope>,
}

/// Refusal with what would help.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error(
        "sign in: `deedtrail sign-in NAME` prints a link; programs send `Authorization: Bearer <token>`"
    )]
    NotSignedIn,
    /// One answer for all of it: a stranger learns nothing of tokens that once were.
    #[error(
        "the token is none of ours: mistyped, revoked or expired; `deedtrail token list` shows those there are"
    )]
    UnknownToken,
    #[error(
        "`{principal}` lacks the scope `{scope}`; {} `--scope {scope}`",
        giver(scope)
    )]
    Scope {
        principal: Text,
        scope: &'static str,
    },
}

/// A disk that is full keeps nobody from reading: when a token or session was last used is then not
/// written.
fn remembered(touched: Result<(), StoreError>) {
    if let Err(error) = touched {
        tracing::warn!(%error, "when it was last used is not remembered");
    }
}

/// What gives a scope: people, who sign in, deliver no records.
fn giver(scope: &str) -> &'static str {
    if scope == scope_name(Scope::Ingest) {
        "`deedtrail token create` gives it with"
    } else {
        "`deedtrail sign-in` and `deedtrail token create` give it with"
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(
        "`{}` is no name for a person: 1 to {PERSON_CHARACTERS_MAX} visible characters without a colon, not `local`",
        .0.escape_debug()
    )]
    Person(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// A new token: the only time its text is seen.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub token: String,
    pub record: TokenRecord,
}

impl Principal {
    /// The operating-system user who owns the data folder.
    pub fn local() -> Self {
        Self {
            name: "local".into(),
            tenant: TenantId::default(),
            scopes: vec![Scope::Admin],
        }
    }

    /// The same, who may also read: who may decide about something may see what it is.
    #[must_use]
    pub fn reading(&self) -> Self {
        let mut principal = self.clone();
        principal.scopes.push(Scope::Read);
        principal
    }

    /// `Ok` when the principal has `scope`; `admin` has all.
    pub fn require(&self, scope: Scope) -> Result<(), Denied> {
        if self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin) {
            return Ok(());
        }
        Err(Denied::Scope {
            principal: self.name.clone(),
            scope: scope_name(scope),
        })
    }
}

/// Name of a scope as the command line and the API write it.
pub fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Ingest => "ingest",
        Scope::Read => "read",
        Scope::Write => "write",
        Scope::Admin => "admin",
    }
}

/// The scope of that name.
pub fn scope_from_name(name: &str) -> Option<Scope> {
    [Scope::Ingest, Scope::Read, Scope::Write, Scope::Admin]
        .into_iter()
        .find(|scope| scope_name(*scope) == name)
}

impl App {
    /// Makes an API token. `lifetime_us` `None` means it does not expire.
    pub fn create_token(
        &self,
        principal: &Principal,
        name: &str,
        scopes: Vec<Scope>,
        lifetime_us: Option<i64>,
    ) -> Result<NewToken, AccessError> {
        principal.require(Scope::Admin)?;
        let now = self.ports.clock.now();
        let secret = self.random_hex();
        let prefix: Text = format!("{TOKEN_PREFIX}{}", secret.get(..8).unwrap_or_default()).into();
        let token = format!("{TOKEN_PREFIX}{secret}");
        let record = TokenRecord {
            prefix: prefix.clone(),
            hash: sha256_hex(&token),
            name: name.into(),
            tenant: principal.tenant.clone(),
            scopes,
            created: now,
            expires: lifetime_us.map(|us| now.plus_micros(us)),
            last_used: None,
            revoked: None,
        };
        let about = Subject::new(SubjectKind::Token, &prefix);
        self.audit_other(principal, ("token created", &prefix), &[about])?;
        self.ports.store.put_token(record.clone())?;
        Ok(NewToken { token, record })
    }

    /// Ends a token; false when there is none of that prefix.
    pub fn revoke_token(&self, principal: &Principal, prefix: &str) -> Result<bool, AccessError> {
        principal.require(Scope::Admin)?;
        let store = &self.ports.store;
        let is_it = |token: &TokenRecord| token.prefix == prefix && token.revoked.is_none();
        if !store.tokens()?.iter().any(is_it) {
            return Ok(false);
        }
        let token = Subject::new(SubjectKind::Token, prefix);
        self.audit_other(principal, ("token revoked", prefix), &[token])?;
        Ok(store.revoke_token(prefix, self.ports.clock.now())?)
    }

    /// The principal behind a bearer token.
    pub fn authenticate_token(&self, token: &str) -> Result<Principal, AccessError> {
        let record = self.ports.store.token_by_hash(&sha256_hex(token))?;
        let now = self.ports.clock.now();
        let record = record.filter(|r| r.revoked.is_none() && r.expires.is_none_or(|e| now < e));
        let record = record.ok_or(Denied::UnknownToken)?;
        if record
            .last_used
            .is_none_or(|at| now.micros_since(at) > TOUCH_US)
        {
            remembered(self.ports.store.touch_token(&record.prefix, now));
        }
        Ok(Principal {
            name: acting_as(&record),
            tenant: record.tenant,
            scopes: record.scopes,
        })
    }

    /// A new one-time sign-in secret for a person, who will have `scopes`; the caller builds the
    /// link. An earlier one that this person has not used no longer works.
    pub fn create_sign_in_link(
        &self,
        principal: &Principal,
        person: &str,
        scopes: Vec<Scope>,
    ) -> Result<String, AccessError> {
        principal.require(Scope::Admin)?;
        if !is_person(person) {
            return Err(AccessError::Person(person.to_owned()));
        }
        let secret = self.random_hex();
        let names: Vec<&str> = scopes.iter().map(|scope| scope_name(*scope)).collect();
        let for_whom = format!("{person} ({})", names.join(", "));
        let user = Subject::new(SubjectKind::User, person);
        self.audit_other(principal, ("sign-in link made", &for_whom), &[user])?;
        self.ports.store.put_sign_in_link(SignInLink {
            hash: sha256_hex(&secret),
            principal: person.into(),
            tenant: principal.tenant.clone(),
            scopes,
            ends: self.ports.clock.now().plus_micros(SIGN_IN_LINK_US),
        })?;
        Ok(secret)
    }

    /// The secret of the link a server prints when it starts: `None` once anybody has signed in,
    /// so that later starts leave no secret in a journal.
    pub fn first_sign_in_link(&self) -> Result<Option<String>, AccessError> {
        if self.ports.store.setting(SIGNED_IN)?.is_some() {
            return Ok(None);
        }
        let scopes = vec![Scope::Admin];
        self.create_sign_in_link(&Principal::local(), FIRST_PERSON, scopes)
            .map(Some)
    }

    /// Uses a sign-in secret up and returns the cookie value of a new session.
    pub fn redeem_sign_in_link(&self, secret: &str) -> Result<String, AccessError> {
        let now = self.ports.clock.now();
        let store = &self.ports.store;
        let link = store.take_sign_in_link(&sha256_hex(secret), now)?;
        let link = link.ok_or(Denied::NotSignedIn)?;
        let person = Principal {
            name: link.principal,
            tenant: link.tenant,
            scopes: link.scopes,
        };
        let user = Subject::new(SubjectKind::User, &person.name);
        self.audit_other(&person, ("signed in", "one-time link"), &[user])?;
        let cookie = self.random_hex();
        store.put_session(WebSession {
            hash: sha256_hex(&cookie),
            principal: person.name,
            tenant: person.tenant,
            created: now,
            last_used: now,
            absolute_end: now.plus_micros(SESSION_ABSOLUTE_US),
            scopes: person.scopes,
        })?;
        store.put_setting(SIGNED_IN, "yes")?;
        Ok(cookie)
    }

    /// The principal behind a session cookie.
    pub fn authenticate_session(&self, cookie: &str) -> Result<Principal, AccessError> {
        let hash = sha256_hex(cookie);
        let now = self.ports.clock.now();
        let session = self
            .ports
            .store
            .session_by_hash(&hash)?
            .ok_or(Denied::NotSignedIn)?;
        let idle = now.micros_since(session.last_used);
        if now >= session.absolute_end || idle > SESSION_IDLE_US {
            self.ports.store.end_session(&hash)?;
            return Err(Denied::NotSignedIn.into());
        }
        if idle > TOUCH_US {
            remembered(self.ports.store.touch_session(&hash, now));
        }
        Ok(Principal {
            name: session.principal,
            tenant: session.tenant,
            scopes: session.scopes,
        })
    }

    /// Ends a browser session.
    pub fn sign_out(&self, cookie: &str) -> Result<(), StoreError> {
        self.ports.store.end_session(&sha256_hex(cookie))
    }

    /// Writes an action of one of our own principals to the evidence log, before it is carried out:
    /// what cannot be recorded is not done. Returns where the entry is.
    pub(crate) fn audit(
        &self,
        principal: &Principal,
        deed: &Deed<'_>,
    ) -> Result<Sequence, AppendError> {
        let entry = custody::entry(principal, deed, self.ports.clock.now());
        let after = self.append_entry(entry)?;
        Ok(after.saturating_sub(1))
    }

    /// The same for what custody has no word for.
    pub(crate) fn audit_other(
        &self,
        principal: &Principal,
        (what, on): (&str, &str),
        about: &[Subject],
    ) -> Result<Sequence, AppendError> {
        let act = Act::Other;
        self.audit(
            principal,
            &Deed {
                act,
                what,
                on,
                about,
            },
        )
    }

    /// 256 random bits as hex.
    pub(crate) fn random_hex(&self) -> String {
        let mut bytes = [0_u8; 32];
        self.ports.entropy.fill(&mut bytes);
        hex::encode(bytes)
    }
}

/// A name that cannot be taken for the owner of the data folder, a token, or another person.
fn is_person(name: &str) -> bool {
    let characters = name.chars().count();
    (1..=PERSON_CHARACTERS_MAX).contains(&characters)
        && name.trim() == name
        && name != "local"
        && !name.contains(|c: char| c == ':' || is_deceptive(c))
}

fn sha256_hex(text: &str) -> Text {
    hex::encode(Sha256::digest(text.as_bytes())).into()
}

/// The name under which a token acts.
pub(crate) fn acting_as(token: &TokenRecord) -> Text {
    format!("token:{}", token.prefix).into()
}
