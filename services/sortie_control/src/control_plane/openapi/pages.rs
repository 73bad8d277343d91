//! Pages by name. The schema of a generic page holds that of its rows whole, and is called after
//! both (`Page_Battle`); clients that are made of it would have two types for one row, one of them
//! without a name. Here a page is a `BattlePage` that refers to its `Battle`.

use serde_json::{Map, Value, json};

const PREFIX: &str = "Page_";

/// Names all pages, and leads what referred to them there.
pub(super) fn name(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let named = std::mem::take(schemas).into_iter().map(|(name, mut schema)| {
        let Some(row) = name.strip_prefix(PREFIX) else { return (name, schema) };
        schema["description"] = json!(format!("A page of `{row}`."));
        schema["properties"]["items"]["items"] = json!({ "$ref": reference(row) });
        (format!("{row}Page"), schema)
    });
    *schemas = named.collect::<Map<_, _>>();
    lead(document);
}

fn lead(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let page = inner.as_str().and_then(|to| to.strip_prefix(&reference(PREFIX)));
                match page.map(|row| reference(&format!("{row}Page"))) {
                    Some(to) if name == "$ref" => *inner = json!(to),
                    _ => lead(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(lead),
        _ => {}
    }
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_name_and_refers_to_its_rows() {
        let mut document = json!({
            "paths": {"/v1/rows": {"get": {"schema": {"$ref": "#/components/schemas/Page_Row"}}}},
            "components": {"schemas": {
                "Row": {"type": "object"},
                "Page_Row": {"properties": {
                    "items": {"type": "array", "items": {"type": "object"}},
                    "next_cursor": {"type": ["string", "null"]},
                }},
            }},
        });
        name(&mut document);
        let schemas = &document["components"]["schemas"];
        assert!(schemas.get("Page_Row").is_none() && schemas.get("Row").is_some());
        let rows = &schemas["RowPage"]["properties"]["items"]["items"];
        assert_eq!(*rows, json!({ "$ref": "#/components/schemas/Row" }));
        let schema = &document["paths"]["/v1/rows"]["get"]["schema"];
        assert_eq!(*schema, json!({ "$ref": "#/components/schemas/RowPage" }));
    }
}
