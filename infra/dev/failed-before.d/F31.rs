//! F31: the API's document declares the header `Idempotency-Key`, which routes take.
//! Goes to services/control/tests.

#[test]
fn the_document_declares_the_idempotency_key() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let document = std::fs::read_to_string(path).unwrap().to_lowercase();
    let is_declared = document.contains("\"name\": \"idempotency-key\"");
    assert!(is_declared, "F31: no route of docs/openapi.json declares Idempotency-Key");
}
