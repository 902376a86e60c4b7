//! `sign-in`: a one-time link for a person.

use deedtrail_core::port::store::Scope;

use super::{Context, Ended};
use crate::args::{Rights, SignIn};

pub(super) fn run(context: &mut Context<'_>, sign_in: &SignIn) -> anyhow::Result<Ended> {
    let scopes = match sign_in.scope {
        Rights::Read => vec![Scope::Read],
        Rights::Write => vec![Scope::Read, Scope::Write],
        Rights::Admin => vec![Scope::Admin],
    };
    let app = context.app();
    let secret = app.create_sign_in_link(&context.principal, &sign_in.name, scopes)?;
    let link = context.instance.sign_in_link(&secret);
    if context.console.json {
        let object = serde_json::json!({ "id": sign_in.name, "link": link });
        context.console.object(&object)?;
    } else {
        context.console.line(link)?;
    }
    let name = &sign_in.name;
    context.console.say(format_args!(
        "signs {name} in once, within 24 h; an earlier unused link for {name} no longer works"
    ))?;
    if context.instance.address.get().is_none() {
        context
            .console
            .say("no server runs: start it first, `deedtrail serve`")?;
    }
    Ok(Ended::Done)
}
