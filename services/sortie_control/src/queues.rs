//! Queues of matchmaking from a TOML file.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use sortie_cli::config;
use sortie_matchmaking::Queue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    queue: Vec<Queue>,
}

/// The queues of a file with a `[[queue]]` table for each.
///
/// # Errors
/// It cannot be read, or says something else.
pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<Queue>> {
    let name = file.display();
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read the queues {name}"))?;
    let document: Document = toml::from_str(&text)
        .map_err(|error| config::fault(&format!("the queues {name}"), &text, &error))?;
    Ok(document.queue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_its_queues_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("queues.toml");
        let queue = "[[queue]]\nname = 'duel'\nmode = 'deathmatch'\nmap = 'ridge'\n\
                     is_ranked = true\nteam_min = 1\nteam_max = 1\nplayers_max = 2\n";
        std::fs::write(&file, queue).unwrap();
        let queues = read(&file).unwrap();
        assert_eq!((queues.len(), queues[0].name.as_str()), (1, "duel"));
        std::fs::write(&file, format!("{queue}teams = 2\n")).unwrap();
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains("queues.toml, line 9: unknown field `teams`"), "{error}");
    }
}
