//! `/v1/me`, pictures, and what others see.

use std::io::Cursor;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use image::{ImageFormat, RgbImage};
use serde_json::{Value, json};
use sortie_account::settings::{Limits, Settings};
use sqlx::PgPool;
use tower::ServiceExt;
use uuid::Uuid;

use crate::common::{Api, Login, is_done, is_refused, settings};

/// A PNG of so many pixels a side, with a text that says where it was taken.
fn png(side: u32) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    RgbImage::new(side, side).write_to(&mut file, ImageFormat::Png).unwrap();
    let mut bytes = file.into_inner();
    let text = b"tEXtComment\0taken at home";
    let length = (text.len() as u32 - 4).to_be_bytes();
    let chunk = [&length[..], text, &crc32fast::hash(text).to_be_bytes()].concat();
    // Behind signature and header.
    bytes.splice(33..33, chunk);
    bytes
}

async fn raw(api: &Api, request: Request<Body>) -> (StatusCode, HeaderMap, Bytes) {
    let response = api.router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
}

async fn put(api: &Api, login: &Login, media_type: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let request = Request::put("/v1/me/picture")
        .header(header::AUTHORIZATION, format!("Bearer {}", login.access))
        .header(header::CONTENT_TYPE, media_type)
        .body(Body::from(body))
        .unwrap();
    let (status, _, body) = raw(api, request).await;
    (status, serde_json::from_slice(&body).unwrap())
}

async fn get(api: &Api, player_id: Uuid, tag: &str) -> (StatusCode, HeaderMap, Bytes) {
    let path = format!("/v1/players/{player_id}/picture");
    let request = Request::get(path).header(header::IF_NONE_MATCH, tag);
    raw(api, request.body(Body::empty()).unwrap()).await
}

async fn patch(api: &Api, login: &Login, body: Value) -> (StatusCode, Value) {
    api.call(Method::PATCH, "/v1/me", Some(&login.access), body).await
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn name_and_text_are_changed_and_others_see_them(db: PgPool) {
    let api = Api::new(db);
    let (ada, _bob) = (api.member("Ada").await, api.member("Bob").await);
    is_done(patch(&api, &ada, json!({ "about": "Analyst.\nEngines." })).await);
    let me = is_done(patch(&api, &ada, json!({ "name": "Countess" })).await);
    assert_eq!((&me["name"], &me["about"]), (&json!("Countess"), &json!("Analyst.\nEngines.")));
    let path = format!("/v1/players/{}", ada.player_id);
    let seen = is_done(api.call(Method::GET, &path, None, Value::Null).await);
    assert_eq!(seen["name"], "Countess");
    assert!(seen.get("email").is_none() && seen.get("has_totp").is_none());
    for (body, status, code) in [
        (json!({ "name": "bob" }), 409, "account.name_taken"),
        (json!({ "name": "b" }), 422, "account.name_shape"),
        (json!({ "about": "x".repeat(501) }), 422, "account.about_shape"),
        (json!({ "about": "\u{0}" }), 422, "account.about_shape"),
        (json!({ "name": 7 }), 422, "request.fields"),
    ] {
        is_refused(patch(&api, &ada, body).await, status, code);
    }
    let path = format!("/v1/players/{}", Uuid::from_u128(7));
    let unknown = api.call(Method::GET, &path, None, Value::Null).await;
    is_refused(unknown, 404, "account.unknown_player");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn names_do_not_change_all_the_time(db: PgPool) {
    let limits = Limits { renames: Limits::default().renames, ..Limits::NONE };
    let api = Api::with(db, Settings { limits, ..settings() });
    let ada = api.member("Ada").await;
    for at in 0..3 {
        is_done(patch(&api, &ada, json!({ "name": format!("Ada {at}") })).await);
    }
    let answer = patch(&api, &ada, json!({ "name": "Ada 3" })).await;
    is_refused(answer, 429, "request.rate_limited");
    is_done(patch(&api, &ada, json!({ "about": "still free" })).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_picture_comes_back_as_a_picture_and_nothing_else(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    assert_eq!(get(&api, ada.player_id, "").await.0, 404);
    let stored = is_done(put(&api, &ada, "image/png", png(64)).await);
    let (status, headers, bytes) = get(&api, ada.player_id, "").await;
    assert_eq!(status, 200);
    assert_eq!(headers[header::CONTENT_TYPE], "image/png");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "default-src 'none'; sandbox");
    assert!(!bytes.windows(5).any(|window| window == b"taken"), "where it was taken is not kept");
    let tag = headers[header::ETAG].to_str().unwrap();
    assert_eq!(tag, format!("\"{}\"", stored["picture"].as_str().unwrap()));
    assert_eq!(get(&api, ada.player_id, tag).await.0, 304);
    assert_eq!(is_done(api.me(&ada.access).await)["picture"], stored["picture"]);

    // Two with the same picture: it stays until the last of them has left it.
    let bob = api.member("Bob").await;
    is_done(put(&api, &bob, "image/png", png(64)).await);
    let path = "/v1/me/picture";
    is_done(api.call(Method::DELETE, path, Some(&ada.access), Value::Null).await);
    assert_eq!(get(&api, ada.player_id, "").await.0, 404);
    assert_eq!(get(&api, bob.player_id, "").await.2, bytes);
}

/// As RFC 9110 has both: what a proxy or a library of another hand writes means the same.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn headers_are_read_in_any_case_and_with_parameters(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    for media_type in ["image/png; charset=binary", "Image/PNG", "image/png ;q=1"] {
        is_done(put(&api, &ada, media_type, png(64)).await);
    }
    let me = async |value: String| {
        let request = Request::get("/v1/me").header(header::AUTHORIZATION, value);
        raw(&api, request.body(Body::empty()).unwrap()).await.0
    };
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert_eq!(me(format!("{scheme} {}", ada.access)).await, 200, "{scheme}");
    }
    for other in [ada.access.clone(), format!("Basic {}", ada.access), "Bearer".to_owned()] {
        assert_eq!(me(other.clone()).await, 401, "{other}");
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn what_is_no_picture_is_refused_with_its_code(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    let mut large = png(64);
    large.resize((256 << 10) + 1, 0);
    let svg = b"<svg onload='alert(1)'>".to_vec();
    for (media_type, body, status, code) in [
        ("image/png", svg.clone(), 415, "account.picture_type"),
        ("image/svg+xml", svg, 415, "account.picture_type"),
        ("image/jpeg", png(64), 415, "account.picture_type"),
        ("", png(64), 415, "account.picture_type"),
        ("image/png", Vec::new(), 415, "account.picture_type"),
        ("image/png", png(8), 422, "account.picture_size"),
        ("image/png", png(4_096), 422, "account.picture_size"),
        ("image/png", large, 413, "request.too_large"),
    ] {
        is_refused(put(&api, &ada, media_type, body).await, status, code);
    }
}
