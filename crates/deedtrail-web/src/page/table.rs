//! The pages: address, scope, handler.

use axum::routing::{get, post};
use deedtrail_core::port::store::Scope;

use super::{
    baseline, behaviour, blind, charter, charters, coverage, exceptions, finding, findings, grades,
    identities, identity, insider_risk, quarantine, quarantine_list, rules, session, sessions,
    source, sources, today,
};
use crate::asset;
use crate::endpoint::{Endpoint, Face, Needs};
use crate::sign_in;

const PAGE: Endpoint = Endpoint {
    method: "GET",
    path: "/",
    needs: Needs::Scope(Scope::Read),
    face: Face::Page,
    route: || get(today::page),
    document: None,
};

const DECISION: Endpoint = Endpoint {
    method: "POST",
    needs: Needs::Scope(Scope::Write),
    ..PAGE
};

/// Every page, and what belongs to them.
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    PAGE,
    Endpoint {
        path: "/findings",
        route: || get(findings::page),
        ..PAGE
    },
    Endpoint {
        path: "/findings/{id}",
        route: || get(finding::page),
        ..PAGE
    },
    Endpoint {
        method: "POST",
        path: "/findings/{id}",
        needs: Needs::Scope(Scope::Write),
        route: || post(finding::decide),
        ..PAGE
    },
    Endpoint {
        path: "/rules",
        route: || get(rules::page),
        ..PAGE
    },
    Endpoint {
        path: "/rules/reload",
        needs: Needs::Scope(Scope::Admin),
        route: || post(rules::reload),
        ..DECISION
    },
    Endpoint {
        path: "/rule",
        route: || get(rules::one),
        ..PAGE
    },
    Endpoint {
        method: "POST",
        path: "/rule",
        route: || post(rules::try_one),
        ..PAGE
    },
    Endpoint {
        path: "/rules/draft",
        route: || get(rules::draft),
        ..PAGE
    },
    Endpoint {
        method: "POST",
        path: "/rules/draft",
        route: || post(rules::try_draft),
        ..PAGE
    },
    Endpoint {
        path: "/exceptions",
        route: || get(exceptions::page),
        ..PAGE
    },
    Endpoint {
        path: "/exceptions",
        route: || post(exceptions::make),
        ..DECISION
    },
    Endpoint {
        path: "/exceptions/preview",
        route: || post(exceptions::preview),
        ..DECISION
    },
    Endpoint {
        path: "/exceptions/{number}",
        route: || get(exceptions::one),
        ..PAGE
    },
    Endpoint {
        path: "/exceptions/{number}/end",
        route: || post(exceptions::end),
        ..DECISION
    },
    Endpoint {
        path: "/identities",
        route: || get(identities::page),
        ..PAGE
    },
    Endpoint {
        path: "/identities/{id}",
        route: || get(identity::page),
        ..PAGE
    },
    Endpoint {
        path: "/identities/{id}/baseline",
        route: || get(baseline::page),
        ..PAGE
    },
    Endpoint {
        method: "POST",
        path: "/identities/{id}/baseline",
        needs: Needs::Scope(Scope::Write),
        route: || post(baseline::approve),
        ..PAGE
    },
    Endpoint {
        method: "POST",
        path: "/identities/{id}/baseline/withdraw",
        needs: Needs::Scope(Scope::Write),
        route: || post(baseline::withdraw),
        ..PAGE
    },
    Endpoint {
        path: "/behaviour",
        route: || get(behaviour::page),
        ..PAGE
    },
    Endpoint {
        path: "/sessions",
        route: || get(sessions::page),
        ..PAGE
    },
    Endpoint {
        path: "/sessions/{uid}",
        route: || get(session::page),
        ..PAGE
    },
    Endpoint {
        path: "/blind-sessions",
        route: || get(blind::page),
        ..PAGE
    },
    Endpoint {
        path: "/insider-risk",
        route: || get(insider_risk::page),
        ..PAGE
    },
    Endpoint {
        path: "/insider-risk/{person}",
        route: || post(insider_risk::reveal),
        ..DECISION
    },
    Endpoint {
        path: "/charters",
        route: || get(charters::page),
        ..PAGE
    },
    Endpoint {
        path: "/charters",
        route: || post(charters::propose),
        ..DECISION
    },
    Endpoint {
        path: "/charters/{name}",
        route: || get(charter::page),
        ..PAGE
    },
    Endpoint {
        path: "/charters/{name}/approve",
        route: || post(charter::approve),
        ..DECISION
    },
    Endpoint {
        path: "/charters/{name}/retire",
        route: || post(charter::retire),
        ..DECISION
    },
    Endpoint {
        path: "/sources",
        route: || get(sources::page),
        ..PAGE
    },
    Endpoint {
        path: "/quarantine",
        route: || get(quarantine_list::page),
        ..PAGE
    },
    Endpoint {
        path: "/quarantine/replay",
        route: || post(quarantine_list::replay),
        ..DECISION
    },
    Endpoint {
        path: "/quarantine/dismiss",
        route: || post(quarantine_list::dismiss),
        ..DECISION
    },
    Endpoint {
        path: "/quarantine/restore",
        route: || post(quarantine_list::restore),
        ..DECISION
    },
    Endpoint {
        path: "/coverage",
        route: || get(coverage::page),
        ..PAGE
    },
    Endpoint {
        path: "/grades",
        route: || get(grades::page),
        ..PAGE
    },
    Endpoint {
        path: "/sources/{source}",
        route: || get(source::page),
        ..PAGE
    },
    Endpoint {
        method: "POST",
        path: "/sources/{source}/replay",
        needs: Needs::Scope(Scope::Write),
        route: || post(quarantine::replay),
        ..PAGE
    },
    Endpoint {
        path: "/sources/{source}/quarantine/{sequence}",
        route: || get(quarantine::page),
        ..PAGE
    },
    Endpoint {
        method: "POST",
        path: "/sign-out",
        route: || post(sign_in::sign_out),
        ..PAGE
    },
    Endpoint {
        path: "/sign-in/{secret}",
        needs: Needs::Nothing,
        route: || get(sign_in::ask),
        ..PAGE
    },
    Endpoint {
        method: "POST",
        path: "/sign-in/{secret}",
        needs: Needs::Nothing,
        route: || post(sign_in::redeem),
        ..PAGE
    },
    Endpoint {
        path: "/assets/{name}",
        needs: Needs::Nothing,
        route: || get(asset::serve),
        ..PAGE
    },
];
