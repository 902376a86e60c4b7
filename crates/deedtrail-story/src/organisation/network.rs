//! Where requests come from: documentation addresses (RFC 5737, RFC 3849) and documentation
//! autonomous systems (RFC 5398).

use super::Person;
use super::people::Site;

/// A network origin with the client seen there.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) ip: String,
    pub(crate) asn: i64,
    pub(crate) as_org: &'static str,
    pub(crate) country: &'static str,
    pub(crate) city: &'static str,
    pub(crate) user_agent: &'static str,
    /// Company device that meets policy; `false` for anything else.
    pub(crate) managed: bool,
}

/// A network nobody of the company uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stranger {
    ip: &'static str,
    asn: i64,
    as_org: &'static str,
    country: &'static str,
    city: &'static str,
    user_agent: &'static str,
}

pub(crate) const QUAYMARK: Stranger = Stranger {
    ip: "203.0.113.77",
    asn: 64510,
    as_org: "Quaymark Hosting",
    country: "RO",
    city: "Cluj-Napoca",
    user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
};
pub(crate) const VELLUM: Stranger = Stranger {
    ip: "203.0.113.141",
    asn: 64511,
    as_org: "Vellum Servers",
    country: "MD",
    city: "Chisinau",
    user_agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36",
};
pub(crate) const BRIGHTMOOR: Stranger = Stranger {
    ip: "203.0.113.201",
    asn: 65540,
    as_org: "Brightmoor Cloud",
    country: "SG",
    city: "Singapore",
    user_agent: "python-requests/2.32.3",
};

impl Stranger {
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            ip: self.ip.to_owned(),
            asn: self.asn,
            as_org: self.as_org,
            country: self.country,
            city: self.city,
            user_agent: self.user_agent,
            managed: false,
        }
    }
}

/// Autonomous system of the offices.
const OFFICE_ASN: i64 = 64496;

impl Person {
    /// At the desk in the office.
    pub(crate) fn at_office(&self) -> Origin {
        let (ip, country, city) = match self.site {
            Site::Berlin => ("192.0.2.16", "DE", "Berlin"),
            Site::London => ("192.0.2.80", "GB", "London"),
            Site::NewYork => ("192.0.2.144", "US", "New York"),
        };
        Origin {
            ip: ip.to_owned(),
            asn: OFFICE_ASN,
            as_org: "Larkfield Supply",
            country,
            city,
            user_agent: self.user_agent(),
            managed: true,
        }
    }

    /// At home, on the same company laptop (a contractor brings their own).
    pub(crate) fn at_home(&self) -> Origin {
        let (asn, as_org, country, city) = match self.site {
            Site::Berlin => (64500, "Havelnet Broadband", "DE", "Potsdam"),
            Site::London => (64501, "Thamesway Telecom", "GB", "Reading"),
            Site::NewYork => (64502, "Hudson Fibre", "US", "Yonkers"),
        };
        Origin {
            ip: format!("198.51.100.{}", 10 + self.number()),
            asn,
            as_org,
            country,
            city,
            user_agent: self.user_agent(),
            managed: self.employment == "employee",
        }
    }

    fn user_agent(&self) -> &'static str {
        match self.number() % 3 {
            0 => {
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15"
            }
            1 => {
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
            }
            _ => "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
        }
    }
}

/// Address of a service in the cluster: one /24 per service, a few pods in it.
pub(crate) fn private_ip(service: &str, pod: u64) -> String {
    let subnet = super::stable_number(service) % 200;
    format!("10.20.{}.{}", subnet + 20, 10 + pod % 8)
}
