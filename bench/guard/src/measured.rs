//! Figures by name, and how callgrind's come here.

use std::collections::BTreeMap;

use serde_json::Value;

/// Counts by name; names are paths like `codec/decode/snapshots_32`.
pub type Figures = BTreeMap<String, u64>;

/// What the benchmarks print is not understood.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is no summary of a benchmark: {reason}")]
pub struct SummaryError {
    line: usize,
    reason: String,
}

/// Instructions of all kernels, from the lines of JSON that the benchmarks print.
///
/// Of a sealing kernel only what it needs beyond its cipher is kept: `ring` chooses its code by
/// the processor.
///
/// # Errors
/// A line is not such a summary.
pub fn kernels(text: &str) -> Result<Figures, SummaryError> {
    let mut figures = Figures::new();
    for (at, line) in text.lines().enumerate() {
        let broken = |reason: String| SummaryError { line: at + 1, reason };
        let summary: Value =
            serde_json::from_str(line).map_err(|error| broken(error.to_string()))?;
        let name = |key: &str| summary[key].as_str().unwrap_or_default();
        let name = format!("{}/{}/{}", name("group"), name("function_name"), name("id"));
        let instructions = summary
            .pointer("/profiles/0/data/total/metrics/Ir/values/new")
            .and_then(Value::as_u64)
            .filter(|instructions| *instructions > 0)
            .ok_or_else(|| broken(format!("{name} has no instructions")))?;
        figures.insert(name, instructions);
    }
    Ok(without_cipher(figures))
}

/// Replaces `sealing/x` and `sealing/bare_x` by their difference.
fn without_cipher(figures: Figures) -> Figures {
    let bare = |name: &str| name.replacen("sealing/", "sealing/bare_", 1);
    let own = |(name, count): (&String, &u64)| match figures.get(&bare(name)) {
        Some(cipher) if name.starts_with("sealing/") => (name.clone(), count - count.min(cipher)),
        _ => (name.clone(), *count),
    };
    let kept = figures.iter().filter(|(name, _)| !name.starts_with("sealing/bare_"));
    kept.map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(group: &str, function: &str, instructions: u64) -> String {
        format!(
            r#"{{"group":"{group}","function_name":"{function}","id":"x","profiles":[{{"data":
            {{"total":{{"metrics":{{"Ir":{{"values":{{"new":{instructions},"old":1}}}}}}}}}}}}]}}"#
        )
        .replace('\n', "")
    }

    #[test]
    fn lines_become_figures_and_ciphers_are_left_out() {
        let lines = [
            line("codec", "decode", 10),
            line("sealing", "seal", 90),
            line("sealing", "bare_seal", 70),
        ];
        let found = kernels(&lines.join("\n")).unwrap();
        let expected = [("codec/decode/x".to_owned(), 10), ("sealing/seal/x".to_owned(), 20)];
        assert_eq!(found, Figures::from(expected));
    }

    #[test]
    fn what_was_not_counted_is_an_error() {
        assert!(kernels("{}").is_err());
        assert!(kernels("Running benches").is_err());
        assert!(kernels(&line("codec", "decode", 0)).is_err());
    }
}
