//! Which addresses are asked, and how long nothing is.

use super::keys::metadata_address;
use super::*;

#[test]
fn only_addresses_that_nobody_can_change_are_asked() {
    for fine in [
        "https://idp.example.com/keys",
        "http://127.0.0.1:8080/x",
        "http://localhost/x",
        "http://[::1]:1/x",
    ] {
        assert_eq!(address_mistake(fine), None, "{fine}");
    }
    for other in [
        "http://idp.example.com/keys",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1@evil.example/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "keys.json",
        "",
    ] {
        assert!(address_mistake(other).is_some(), "{other}");
    }
}

#[test]
fn the_metadata_stands_between_host_and_path() {
    for (issuer, expected) in [
        (
            "https://tr.example.com",
            "https://tr.example.com/.well-known/ssf-configuration",
        ),
        (
            "https://tr.example.com/",
            "https://tr.example.com/.well-known/ssf-configuration",
        ),
        (
            "https://tr.example.com/a/b/",
            "https://tr.example.com/.well-known/ssf-configuration/a/b",
        ),
        (
            "http://127.0.0.1:7/a",
            "http://127.0.0.1:7/.well-known/ssf-configuration/a",
        ),
    ] {
        assert_eq!(metadata_address(issuer).unwrap(), expected);
    }
    assert!(metadata_address("accounts.example.com").is_err());
}
