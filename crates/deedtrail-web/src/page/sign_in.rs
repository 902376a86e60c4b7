//! The page a sign-in link opens.

use askama::Template;

/// One button that redeems the link.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    secret: String,
}

impl SignInPage {
    pub(crate) fn new(secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
        }
    }
}
