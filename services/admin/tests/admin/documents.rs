//! `docs/administration.md` and `docs/data-model.md` say what is so.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sortie_control::permission::Permission;
use sqlx::PgPool;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The table has a column a template, and a row a permission.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_table_of_permissions_is_that_of_the_code(db: PgPool) {
    let roles: Vec<(String, Vec<String>)> =
        sqlx::query_as("select role, permissions from role where is_template")
            .fetch_all(&db)
            .await
            .unwrap();
    let text = document("administration.md");
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let header = text.lines().find(|line| line.starts_with("| permission |")).unwrap();
    let header = cells(header);
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| `")).map(cells).collect();
    let named: BTreeSet<_> = rows.iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    let known: BTreeSet<_> = Permission::ALL.iter().map(|p| p.name().to_owned()).collect();
    assert_eq!(named, known);
    assert_eq!(header.len(), roles.len() + 2, "permission, what, and the templates");
    for (role, permissions) in &roles {
        let column = header.iter().position(|cell| cell == role).expect("a column");
        for row in &rows {
            let name = row[0].trim_matches('`');
            let has = permissions.iter().any(|p| p == "*" || p == name);
            assert_eq!(row[column] == "x", has, "{role}, {name}");
        }
    }
}

#[test]
fn the_data_model_shows_every_table_of_the_migrations() {
    let page = document("data-model.md");
    let mut diagram = String::new();
    for block in page.split("```mermaid").skip(1) {
        diagram.push_str(block.split("```").next().unwrap());
    }
    let mut missing = Vec::new();
    for entry in std::fs::read_dir(root().join("migrations")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "sql") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for rest in text.split("\ncreate table ").skip(1) {
            if rest.lines().next().unwrap().contains("partition of") {
                continue;
            }
            let table = rest.split([' ', '(']).next().unwrap();
            let short = table.trim_start_matches("personal.");
            let is_drawn =
                diagram.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == short);
            if !is_drawn || !page.contains(&format!("`{table}`")) {
                missing.push(table.to_owned());
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "not in docs/data-model.md");
}
