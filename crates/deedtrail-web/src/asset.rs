//! Style sheet, script and icon: part of the program, named by their hash, cached for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use crate::page::failure;
use crate::problem::Problem;

struct Asset {
    /// Name in templates.
    name: &'static str,
    /// `/assets/<hash>-<name>`.
    address: String,
    media_type: &'static str,
    bytes: &'static [u8],
}

const FILES: [(&str, &str, &[u8]); 3] = [
    (
        "app.css",
        "text/css; charset=utf-8",
        include_bytes!("../assets/app.css"),
    ),
    (
        "keys.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../assets/keys.js"),
    ),
    (
        "icon.svg",
        "image/svg+xml",
        include_bytes!("../assets/icon.svg"),
    ),
];

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| FILES.map(asset).into());

fn asset((name, media_type, bytes): (&'static str, &'static str, &'static [u8])) -> Asset {
    let hash = blake3::hash(bytes).to_hex();
    let address = format!("/assets/{}-{name}", hash.get(..12).unwrap_or_default());
    Asset {
        name,
        address,
        media_type,
        bytes,
    }
}

/// Address of an asset, for templates.
pub(crate) fn address(name: &str) -> &'static str {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset.map_or("", |asset| asset.address.as_str())
}

/// `GET /assets/{name}`.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let wanted = format!("/assets/{name}");
    let Some(asset) = ASSETS.iter().find(|asset| asset.address == wanted) else {
        return failure::page(&Problem::not_found("No such file; reload the page."));
    };
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, asset.bytes).into_response()
}
