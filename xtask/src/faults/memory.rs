//! Little memory: allocations fail, the server is killed or ends by itself.

use std::path::Path;

use crate::process::{Tally, say};

use super::{Client, Template, judge, subfolder};

/// Limits of private writable memory that are tried, MiB; under the smallest it may not start.
const MEMORY_MIB: [u64; 8] = [96, 128, 160, 192, 256, 320, 448, 640];
/// Those of the short form.
const SHORT_MIB: [u64; 2] = [160, 320];
const CLIENTS: u64 = 4;
/// Deliveries of 3 MiB of each client.
const DELIVERIES: u64 = 4;
const RECORDS: u64 = 50;
const PADDING_BYTES: usize = 60_000;

/// Whatever the server does when it gets no memory: what it acknowledged is there after a start
/// with enough of it.
pub(super) fn run(binary: &Path, is_short: bool) -> anyhow::Result<Tally> {
    let template = Template::new(binary)?;
    let limits: &[u64] = if is_short { &SHORT_MIB } else { &MEMORY_MIB };
    let mut tally = Tally::default();
    for limit in limits {
        let folder = tempfile::tempdir()?;
        let place = template.place(binary, &subfolder(folder.path(), "place"))?;
        let bytes = limit << 20;
        let limited = place.under(&["prlimit".to_owned(), format!("--data={bytes}")]);
        let started = limited.start();
        let mut clients: Vec<Client> = (0..CLIENTS)
            .map(|number| Client::new(&format!("m{number}")))
            .collect();
        let mut ending = "did not start".to_owned();
        if let Ok(mut server) = started {
            std::thread::scope(|scope| {
                for client in &mut clients {
                    let (server, token) = (&server, &template.token);
                    scope.spawn(move || load(client, server, token));
                }
            });
            ending = match server.process.try_wait()? {
                Some(status) => format!("ended with {status}"),
                None => "went on".to_owned(),
            };
            server.kill()?;
        }
        let (mut promised, mut refused) = (crate::promise::Promised::new(), 0);
        for client in clients {
            refused += client.refused.len();
            promised.extend(client.promised);
        }
        let complaint = judge(&place, &promised)?;
        say(format_args!(
            "memory: {limit} MiB: {ending}, {} acknowledged, {refused} deliveries refused; {}",
            promised.len(),
            complaint.as_deref().unwrap_or("nothing lost")
        ));
        tally.add(Tally::one(complaint.is_none()));
    }
    Ok(tally)
}

/// Sends until everything is sent or nobody answers any more.
fn load(client: &mut Client, server: &crate::server::Server, token: &str) {
    let padding = "x".repeat(PADDING_BYTES);
    for _ in 0..DELIVERIES {
        if client.send(server, token, (RECORDS, &padding)) == 0 {
            break;
        }
    }
}
