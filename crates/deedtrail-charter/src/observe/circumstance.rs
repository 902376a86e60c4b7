//! `when`, `from` and `change_ticket`: the circumstances of what is done.

use std::net::IpAddr;

use deedtrail_core::event::MappedEvent;
use deedtrail_core::finding::Severity;
use deedtrail_core::time::Timestamp;

use super::Said;
use crate::charter::{Compiled, Origins, Times};
use crate::departure::Departure;
use crate::document::action_name;
use crate::subject::{Subject, cut};

impl Compiled {
    pub(super) fn circumstances(&self, subject: &Subject<'_>, to: &mut Vec<Departure>) {
        if let Some(times) = &self.when
            && subject.dated()
            && let Some(local) = times.outside(subject.event.time_effective)
        {
            to.push(self.departs(subject, self.untimely(subject, times, &local)));
        }
        if let Some(origins) = &self.from {
            for (line, key, expected, seen) in origins.strange(&subject.event.mapped) {
                let said = self.elsewhere(subject, (line, key, expected), &seen);
                to.push(self.departs(subject, said));
            }
        }
        if let Some((actions, line)) = &self.ticket
            && actions.has(subject.event.mapped.action)
            && subject.event.mapped.change_ticket.is_none()
            && !subject.refused()
        {
            to.push(self.departs(subject, self.without_ticket(subject, *line)));
        }
    }

    fn untimely(&self, subject: &Subject<'_>, times: &Times, local: &str) -> Said {
        Said {
            line: times.line,
            rule: format!("when: {}", times.words),
            pattern: "when".to_owned(),
            title: format!(
                "worked at a time its charter {} does not name: {local}",
                self.name
            ),
            observed: format!("{local}: {}", (subject.describe)(subject.event)),
            expected: format!("works {}", times.words),
            severity: Severity::Medium,
        }
    }

    fn elsewhere(
        &self,
        subject: &Subject<'_>,
        (line, key, expected): (u32, &str, &str),
        seen: &str,
    ) -> Said {
        Said {
            line,
            rule: format!("from {key}: {expected}"),
            pattern: format!("from {key} {}", cut(seen, 60)),
            title: format!(
                "worked from {}, which its charter {} does not name",
                cut(seen, 60),
                self.name
            ),
            observed: (subject.describe)(subject.event),
            expected: format!("works from {expected}"),
            severity: Severity::Medium,
        }
    }

    fn without_ticket(&self, subject: &Subject<'_>, line: u32) -> Said {
        let action = action_name(subject.event.mapped.action);
        Said {
            line,
            rule: format!("change_ticket: required for {action}"),
            pattern: format!("ticket {action} {}", cut(&subject.target(), 60)),
            title: format!(
                "acted without a change ticket, which its charter {} requires: {}",
                self.name,
                (subject.describe)(subject.event)
            ),
            observed: "no change ticket on the record".to_owned(),
            expected: format!("a change ticket for every {action}"),
            severity: Severity::Medium,
        }
    }
}

impl Times {
    /// The local time in words when the charter does not name it.
    fn outside(&self, time: Timestamp) -> Option<String> {
        let at = jiff::Timestamp::from_microsecond(time.as_micros()).ok()?;
        let local = at.to_zoned(self.zone.clone());
        let day = u8::try_from(local.weekday().to_monday_zero_offset()).ok()?;
        let minute =
            u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).ok()?;
        let works = |day: u8| self.days.is_empty() || self.days.iter().any(|days| days.has(day));
        let inside = if self.hours.is_empty() {
            works(day)
        } else {
            self.hours.iter().any(|hours| {
                if hours.wraps() {
                    // What is after midnight belongs to the day on which it began.
                    works(day) && hours.from <= minute || works((day + 6) % 7) && minute < hours.to
                } else {
                    works(day) && hours.from <= minute && minute < hours.to
                }
            })
        };
        (!inside).then(|| local.strftime("%a %Y-%m-%d %H:%M %Z").to_string())
    }
}

/// Line of the charter, key, what it names, and what was seen instead.
type Strange<'a> = (u32, &'static str, &'a str, String);

impl Origins {
    /// Each origin that the record tells and the charter does not name.
    fn strange<'a>(&'a self, mapped: &MappedEvent) -> Vec<Strange<'a>> {
        let mut strange: Vec<Strange<'a>> = Vec::new();
        if let Some(seen) = self.strange_network(mapped) {
            strange.push((self.line_networks, "networks", &self.words_networks, seen));
        }
        if let Some(workload) = &mapped.workload
            && !self.workloads.is_empty()
            && !self.workloads.any(workload)
        {
            let seen = workload.to_string();
            strange.push((
                self.line_workloads,
                "workloads",
                &self.words_workloads,
                seen,
            ));
        }
        if let Some(country) = &mapped.src_country
            && !self.countries.is_empty()
            && !self
                .countries
                .iter()
                .any(|known| known.eq_ignore_ascii_case(country))
        {
            let seen = country.to_string();
            strange.push((
                self.line_countries,
                "countries",
                &self.words_countries,
                seen,
            ));
        }
        strange
    }

    fn strange_network(&self, mapped: &MappedEvent) -> Option<String> {
        if self.networks.is_empty() && self.systems.is_empty() {
            return None;
        }
        let address = mapped
            .src_ip
            .as_ref()
            .and_then(|ip| ip.parse::<IpAddr>().ok());
        let known = mapped
            .src_asn
            .is_some_and(|number| self.systems.contains(&number))
            || address.is_some_and(|ip| self.networks.iter().any(|block| block.contains(&ip)));
        if known {
            return None;
        }
        // Without what the charter goes by nothing can be said.
        let judged = mapped.src_asn.is_some() && !self.systems.is_empty()
            || address.is_some() && !self.networks.is_empty();
        let both = self.systems.is_empty() || mapped.src_asn.is_some();
        let both = both && (self.networks.is_empty() || address.is_some());
        (judged && both).then(|| match (mapped.src_asn, address) {
            (Some(number), Some(ip)) => format!("AS{number} ({ip})"),
            (Some(number), None) => format!("AS{number}"),
            (None, Some(ip)) => ip.to_string(),
            (None, None) => "an unknown network".to_owned(),
        })
    }
}
