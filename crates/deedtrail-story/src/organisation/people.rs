//! The twenty people of the story.

use super::{DOMAIN, stable_hex, stable_uuid};

/// Where somebody works; decides office hours and networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    Berlin,
    London,
    NewYork,
}

impl Site {
    /// Offset of the site's office clock from UTC, hours (winter time all year).
    pub(crate) const fn hours_from_utc(self) -> i64 {
        match self {
            Self::Berlin => 1,
            Self::London => 0,
            Self::NewYork => -5,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Person {
    /// Mail name and GitHub login.
    pub(crate) login: &'static str,
    pub(crate) name: &'static str,
    pub(crate) department: &'static str,
    /// `employee` or `contractor`.
    pub(crate) employment: &'static str,
    pub(crate) manager: &'static str,
    pub(crate) site: Site,
}

const fn employee(
    login: &'static str,
    name: &'static str,
    department: &'static str,
    manager: &'static str,
    site: Site,
) -> Person {
    Person {
        login,
        name,
        department,
        employment: "employee",
        manager,
        site,
    }
}

const fn contractor(
    login: &'static str,
    name: &'static str,
    department: &'static str,
    manager: &'static str,
    site: Site,
) -> Person {
    Person {
        employment: "contractor",
        ..employee(login, name, department, manager, site)
    }
}

pub(crate) static PEOPLE: [Person; 20] = [
    employee(
        "mara.lind",
        "Mara Lind",
        "Platform",
        "edda.voss",
        Site::Berlin,
    ),
    employee(
        "jonas.weil",
        "Jonas Weil",
        "Platform",
        "mara.lind",
        Site::Berlin,
    ),
    employee(
        "priya.nand",
        "Priya Nand",
        "Platform",
        "mara.lind",
        Site::London,
    ),
    employee(
        "edda.voss",
        "Edda Voss",
        "Engineering",
        "ruth.calloway",
        Site::Berlin,
    ),
    employee(
        "oskar.brandt",
        "Oskar Brandt",
        "Engineering",
        "edda.voss",
        Site::Berlin,
    ),
    employee(
        "lena.hoff",
        "Lena Hoff",
        "Engineering",
        "edda.voss",
        Site::Berlin,
    ),
    employee(
        "sam.okoye",
        "Sam Okoye",
        "Engineering",
        "edda.voss",
        Site::London,
    ),
    employee(
        "dana.ferris",
        "Dana Ferris",
        "Engineering",
        "edda.voss",
        Site::NewYork,
    ),
    employee(
        "kai.morrow",
        "Kai Morrow",
        "Engineering",
        "edda.voss",
        Site::NewYork,
    ),
    contractor(
        "tomas.reyl",
        "Tomas Reyl",
        "Engineering",
        "edda.voss",
        Site::Berlin,
    ),
    contractor(
        "ana.sorel",
        "Ana Sorel",
        "Engineering",
        "edda.voss",
        Site::London,
    ),
    employee(
        "hugo.stane",
        "Hugo Stane",
        "Security",
        "ruth.calloway",
        Site::Berlin,
    ),
    employee(
        "ines.calder",
        "Ines Calder",
        "Finance",
        "paul.wexley",
        Site::London,
    ),
    employee(
        "paul.wexley",
        "Paul Wexley",
        "Finance",
        "ruth.calloway",
        Site::London,
    ),
    employee(
        "greta.mohn",
        "Greta Mohn",
        "Finance",
        "paul.wexley",
        Site::Berlin,
    ),
    employee(
        "noel.varga",
        "Noel Varga",
        "Sales",
        "ruth.calloway",
        Site::NewYork,
    ),
    employee(
        "iris.talbot",
        "Iris Talbot",
        "Sales",
        "noel.varga",
        Site::London,
    ),
    employee(
        "bea.lorenz",
        "Bea Lorenz",
        "Support",
        "ruth.calloway",
        Site::Berlin,
    ),
    contractor(
        "cole.danvers",
        "Cole Danvers",
        "Support",
        "bea.lorenz",
        Site::NewYork,
    ),
    employee(
        "ruth.calloway",
        "Ruth Calloway",
        "Management",
        "",
        Site::London,
    ),
];

/// The person of that login; the first of the list when there is none.
pub(crate) fn person(login: &str) -> &'static Person {
    PEOPLE
        .iter()
        .find(|one| one.login == login)
        .unwrap_or(&PEOPLE[0])
}

impl Person {
    pub(crate) fn email(&self) -> String {
        [self.login, "@", DOMAIN].concat()
    }

    /// Place in the list: decides the home address and the laptop.
    pub(crate) fn number(&self) -> usize {
        PEOPLE
            .iter()
            .position(|other| other.login == self.login)
            .unwrap_or_default()
    }

    pub(crate) fn okta_id(&self) -> String {
        ["00u", &stable_hex(self.login, 17)].concat()
    }

    pub(crate) fn entra_id(&self) -> String {
        stable_uuid(self.login)
    }

    /// GitHub logins have no dots.
    pub(crate) fn github_login(&self) -> String {
        self.login.replace('.', "-")
    }

    pub(crate) fn writes_code(&self) -> bool {
        matches!(self.department, "Engineering" | "Platform")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managers_are_people_of_the_company() {
        for one in &PEOPLE {
            assert!(one.manager.is_empty() || person(one.manager).login == one.manager);
        }
    }
}
