//! Serves the pages over a synthetic installation, for looking at them and for end-to-end checks.
//!
//! `cargo run -p deedtrail-web --example sample_server -- [story|empty|hostile|huge] [address]`
//! prints the address and a one-time sign-in link, one per line.

use std::io::Write as _;
use std::sync::Arc;

use deedtrail_app::access::Principal;
use deedtrail_app::{App, Ports};
use deedtrail_core::port::store::Scope;
use deedtrail_testkit::FakeTables;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::{WebConfig, router, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let which = arguments.next().unwrap_or_else(|| "story".to_owned());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let sample = match which.as_str() {
        "story" => Sample::story(),
        "empty" => Sample::empty(),
        "hostile" => Sample::hostile(),
        "huge" => Sample::huge(),
        other => return Err(format!("`{other}`: use story, empty, hostile or huge").into()),
    };
    let app = Arc::new(App::new(Ports {
        log: sample.log,
        mapper: sample.mapper,
        tables: Arc::new(FakeTables),
        archive: sample.archive,
        store: sample.store,
        clock: sample.clock,
        entropy: sample.entropy,
    }));
    let admin = vec![Scope::Admin];
    let secret = app.create_sign_in_link(&Principal::local(), "admin", admin)?;
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let base = format!("http://{}", listener.local_addr()?);
    let mut out = std::io::stdout();
    writeln!(out, "{base}\n{base}/sign-in/{secret}")?;
    out.flush()?;
    let stop = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "no signal can stop the server");
        }
    };
    serve(listener, None, router(app, WebConfig::default()), stop).await;
    Ok(())
}
