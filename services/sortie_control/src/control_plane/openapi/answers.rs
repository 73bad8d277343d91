//! How any call may be refused, so that no service has to repeat it.

use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder};

/// Completes the answers of each operation.
pub(super) fn add(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        let methods =
            [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in methods.into_iter().flatten() {
            // Said outright: open to everybody.
            operation.security.get_or_insert_default();
            add_to(operation);
        }
    }
}

/// Listeners and extractors refuse before handlers see a call.
fn add_to(operation: &mut Operation) {
    let has_body = operation.request_body.is_some();
    let has_json = operation.request_body.as_ref().is_some_and(|body| match body {
        RefOr::T(body) => body.content.contains_key("application/json"),
        RefOr::Ref(_) => true,
    });
    let is_closed = operation.security.as_ref().is_some_and(|all| !all.is_empty());
    let answers = [
        (
            true,
            400,
            "Parameters or the body cannot be read, have unknown names, or are not expected",
        ),
        (is_closed, 401, "No access token, or a bad one"),
        (has_body, 408, "The body did not come in time"),
        (has_body, 413, "The body is too long"),
        (has_json, 415, "The body is not said to be JSON"),
        (has_json, 422, "Fields are missing or wrong"),
        (true, 429, "Too many calls; Retry-After says how long to wait"),
        (true, 500, "A mistake of ours; the request id names it in our logs"),
        (true, 503, "Something that is needed is away; try again soon"),
    ];
    let known = &mut operation.responses.responses;
    for (_, status, description) in answers.into_iter().filter(|(applies, ..)| *applies) {
        known.entry(status.to_string()).or_insert_with(|| {
            let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
            let answer = ResponseBuilder::new().description(description);
            RefOr::T(answer.content("application/json", body).build())
        });
    }
    for (status, answer) in known {
        let RefOr::T(answer) = answer else { continue };
        if answer.description.is_empty() {
            answer.description = match status.as_str() {
                "201" => "It was made",
                "202" => "It was taken on, and will be done",
                "204" => "It was done",
                _ => "The answer",
            }
            .to_owned();
        }
    }
}
