//! Conversions of single values. All are total: what does not fit is absent.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use deedtrail_core::Text;
use deedtrail_core::limits::COLUMN_BYTES_MAX;
use deedtrail_core::time::Timestamp;
use regex::Regex;

use crate::mapping::plan::TimeFormat;

/// A text of at most [`COLUMN_BYTES_MAX`] bytes, cut at a character.
pub(crate) fn column(text: &str) -> Text {
    if text.len() <= COLUMN_BYTES_MAX {
        return Text::new(text);
    }
    let end = text.floor_char_boundary(COLUMN_BYTES_MAX);
    Text::new(text.get(..end).unwrap_or_default())
}

/// The value of an alias in its canonical form: e-mail addresses are lower-case addresses.
pub(crate) fn alias(namespace: &str, text: &str) -> Option<Text> {
    if namespace != "email" && namespace != "gcp.email" {
        return Some(column(text));
    }
    let (user, host) = text.split_once('@')?;
    if user.is_empty() || host.is_empty() {
        return None;
    }
    let usual = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    if text.bytes().all(usual) {
        return Some(column(text));
    }
    let address = !text.contains(char::is_whitespace);
    address.then(|| column(&text.to_lowercase()))
}

/// BLAKE3 of the bytes, hex, first 128 bits.
pub(crate) fn hash(bytes: &[u8]) -> Text {
    let hash = blake3::hash(bytes).to_hex();
    Text::new(hash.as_str().get(..32).unwrap_or_default())
}

/// A whole number, not negative; fractions are cut off.
pub(crate) fn count(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        return (number >= 0).then_some(number);
    }
    let number = text.parse::<f64>().ok()?;
    let fits = (0.0..9_007_199_254_740_992.0).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range is checked above"
    )]
    fits.then_some(number as i64)
}

/// An IP address in its usual form, and the port if one stands with it.
pub(crate) fn address(text: &str) -> Option<(Text, Option<i64>)> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Ok(ip) = bare.unwrap_or(text).parse::<IpAddr>() {
        return Some((written(ip, bare.unwrap_or(text)), None));
    }
    if let Ok(both) = text.parse::<SocketAddr>() {
        return Some((written(both.ip(), ""), Some(both.port().into())));
    }
    // `fe80::1%eth0`: the zone means nothing elsewhere.
    let (ip, _zone) = text.split_once('%')?;
    Some((written(ip.parse().ok()?, ip), None))
}

/// The address as the vendor wrote it if that is one of its usual forms. An IPv4 address in IPv6
/// clothes (`::ffff:192.0.2.1`, RFC 4291 2.5.5.2) is that IPv4 address.
fn written(ip: IpAddr, text: &str) -> Text {
    match ip {
        IpAddr::V4(_) if !text.is_empty() => Text::new(text),
        _ => smol_str::format_smolstr!("{}", ip.to_canonical()),
    }
}

/// Host of a URL or of an e-mail address, lower case.
pub(crate) fn domain(text: &str) -> Option<String> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?,
        None => host.split(':').next()?,
    };
    let name = name.trim_end_matches('.');
    let valid = !name.is_empty() && name.len() <= 253 && !name.contains(char::is_whitespace);
    valid.then(|| name.to_lowercase())
}

/// Masks what looks like a secret in a command line or query.
pub(crate) fn mask_secrets(text: &str) -> Cow<'_, str> {
    static SECRET: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(concat!(
            r#"(?i)((?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)["']?\s*[=:]\s*|"#,
            r#"--?(?:password|token|secret)\s+|bearer\s+|basic\s+|identified\s+by\s+|://[^\s/:@]+:)(["']?)[^\s"'@;,&]+"#,
        ))
        .ok()
    });
    match SECRET.as_ref() {
        Some(secret) => secret.replace_all(text, "${1}${2}[masked]"),
        None => Cow::Borrowed(text),
    }
}

/// Why a time could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadTime {
    /// Not written as any of the formats: the time is absent.
    Unreadable,
    /// A number no clock shows: the record is quarantined.
    Absurd,
}

/// Reads a time by the first format that fits.
pub(crate) fn time(text: &str, formats: &[TimeFormat]) -> Result<Timestamp, BadTime> {
    let mut worst = BadTime::Unreadable;
    for format in formats {
        let read = match format {
            TimeFormat::Rfc3339 => rfc3339(text).ok_or(BadTime::Unreadable),
            TimeFormat::Unix(units) => unix(text, *units),
            TimeFormat::Pattern(pattern) => pattern.read(text).ok_or(BadTime::Unreadable),
        };
        match read {
            Ok(at) => return Ok(at),
            Err(BadTime::Absurd) => worst = BadTime::Absurd,
            Err(BadTime::Unreadable) => {}
        }
    }
    Err(worst)
}

/// `2026-11-18T14:02:11.5Z` without a general parser; anything unusual goes through one.
fn rfc3339(text: &str) -> Option<Timestamp> {
    fast_utc(text.as_bytes()).or_else(|| Timestamp::parse_rfc3339(text))
}

fn fast_utc(text: &[u8]) -> Option<Timestamp> {
    let (b'Z', rest) = text.split_last()? else {
        return None;
    };
    let (whole, fraction) = rest.split_at_checked(19)?;
    let number = |from: usize, to: usize| {
        whole[from..to].iter().try_fold(0_i64, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + i64::from(byte - b'0'))
        })
    };
    let separators = [whole[4], whole[7], whole[10], whole[13], whole[16]];
    if separators != *b"--T::" {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Day 29 and later, leap seconds and years before 1970 are left to the general parser.
    let plain = (1970..=9999).contains(&year) && (1..=12).contains(&month);
    if !plain || !(1..=28).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = match fraction.split_first() {
        None => 0,
        Some((b'.', digits)) if (1..=9).contains(&digits.len()) => digits
            .iter()
            .zip([100_000, 10_000, 1_000, 100, 10, 1, 0, 0, 0])
            .try_fold(0_i64, |sum, (byte, weight)| {
                byte.is_ascii_digit()
                    .then(|| sum + i64::from(byte - b'0') * weight)
            })?,
        Some(_) => return None,
    };
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(Timestamp::from_micros(seconds * 1_000_000 + micros))
}

/// Days since 1970-01-01 in the Gregorian calendar.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day comes last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn unix(text: &str, units_per_second: i64) -> Result<Timestamp, BadTime> {
    /// 9999-12-31T23:59:59Z in seconds; jiff and RFC 3339 end there.
    const LAST_SECOND: i64 = 253_402_300_799;
    let whole = if let Ok(number) = text.parse::<i128>() {
        number.saturating_mul(1_000_000) / i128::from(units_per_second)
    } else {
        let number = text.parse::<f64>().map_err(|_| BadTime::Unreadable)?;
        if !number.is_finite() {
            return Err(BadTime::Absurd);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "saturates, and the range is checked below"
        )]
        let micros = (number * (1_000_000.0 / units_per_second as f64)).round() as i128;
        micros
    };
    let micros = i64::try_from(whole).map_err(|_| BadTime::Absurd)?;
    if micros.abs() > LAST_SECOND * 1_000_000 {
        return Err(BadTime::Absurd);
    }
    // Zero stands for "never" in every vendor's log.
    if micros == 0 {
        return Err(BadTime::Unreadable);
    }
    Ok(Timestamp::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_addresses() {
        let check = |text: &str, ip: Option<&str>, port: Option<i64>| {
            let found = address(text);
            assert_eq!(found.as_ref().map(|(ip, _)| ip.as_str()), ip, "{text}");
            assert_eq!(found.and_then(|(_, port)| port), port, "{text}");
        };
        check("1.2.3.4", Some("1.2.3.4"), None);
        check("1.2.3.4:443", Some("1.2.3.4"), Some(443));
        check("[::1]:1", Some("::1"), Some(1));
        check("[2001:DB8::1]", Some("2001:db8::1"), None);
        check("fe80::1%eth0", Some("fe80::1"), None);
        check("::ffff:192.0.2.7", Some("192.0.2.7"), None);
        check("[::ffff:192.0.2.7]:443", Some("192.0.2.7"), Some(443));
        for bad in [
            "ec2.amazonaws.com",
            "1.2.3",
            "1.2.3.4:99999",
            "AWS Internal",
            "999.1.1.1",
        ] {
            check(bad, None, None);
        }
    }

    #[test]
    fn times_agree_with_the_general_parser() {
        for text in [
            "2026-11-18T14:02:11Z",
            "2000-02-29T00:00:00.123456789Z",
            "1999-12-31T23:59:59.5Z",
            "2026-03-01T00:00:00+02:00",
            "2100-03-01T00:00:00.000001Z",
            "1970-01-01T00:00:00Z",
        ] {
            let general = Timestamp::parse_rfc3339(text);
            assert!(general.is_some());
            assert_eq!(rfc3339(text), general, "{text}");
        }
        for bad in [
            "",
            "Z",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "yesterday",
        ] {
            assert_eq!(rfc3339(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_are_times_only_within_reason() {
        let ms = [TimeFormat::Unix(1_000)];
        assert_eq!(
            time("1583364251067", &ms).unwrap().as_micros(),
            1_583_364_251_067_000
        );
        assert_eq!(
            time("1583364251067.5", &ms).unwrap().as_micros(),
            1_583_364_251_067_500
        );
        assert_eq!(time("99999999999999999999", &ms), Err(BadTime::Absurd));
        assert_eq!(time("0", &ms), Err(BadTime::Unreadable));
        let pattern = [TimeFormat::Pattern(crate::mapping::time::TimePattern::new(
            "%Y-%m-%d %H:%M:%S",
            jiff::tz::TimeZone::UTC,
        ))];
        assert_eq!(
            time("2026-11-18 14:02:11", &pattern).unwrap().to_string(),
            "2026-11-18T14:02:11.000000Z"
        );
    }

    #[test]
    fn hosts_of_urls_and_addresses() {
        for (text, host) in [
            (
                "https://user:pw@Example.COM:8443/a?b#c",
                Some("example.com"),
            ),
            ("http://[::1]:80/", Some("::1")),
            ("a@b.example", Some("b.example")),
            ("https:///x", None),
        ] {
            assert_eq!(domain(text).as_deref(), host, "{text}");
        }
    }

    #[test]
    fn secrets_are_masked() {
        for text in [
            "mysql --password hunter2 -u x",
            "curl -H 'Authorization: Bearer hunter2'",
            "PASSWORD=hunter2 run",
            "psql postgres://u:hunter2@h/db",
            "CREATE USER x IDENTIFIED BY 'hunter2'",
        ] {
            assert!(!mask_secrets(text).contains("hunter2"), "{text}");
        }
        assert_eq!(mask_secrets("ls -la /tmp"), "ls -la /tmp");
    }
}
