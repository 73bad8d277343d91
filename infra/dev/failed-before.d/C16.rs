//! C16: bytes that do not decode to a picture are no picture, whatever their headers say.
//! Goes to services/account/tests, with Postgres.
#![allow(dead_code, reason = "of the tests' API a part is used")]

#[path = "account/common.rs"]
mod common;

use axum::body::Body;
use axum::http::{Request, header};
use common::Api;
use sqlx::PgPool;
use tower::ServiceExt;

/// The chunks of a PNG of 64 by 64, without pixels and with checksums of 0.
fn shell() -> Vec<u8> {
    let header = b"\0\0\0\x40\0\0\0\x40\x08\x02\0\0\0";
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let chunks: [(&[u8], &[u8]); 3] = [(b"IHDR", header), (b"IDAT", b"a text"), (b"IEND", b"")];
    for (name, data) in chunks {
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend([name, data, &[0; 4]].concat());
    }
    bytes
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn what_does_not_decode_is_refused(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Adam").await;
    let request = Request::put("/v1/me/picture")
        .header(header::AUTHORIZATION, format!("Bearer {}", ada.access))
        .header(header::CONTENT_TYPE, "image/png")
        .body(Body::from(shell()))
        .unwrap();
    let status = api.router.clone().oneshot(request).await.unwrap().status();
    assert!(!status.is_success(), "C16: a text between headers of a picture is kept: {status}");
}
