//! Numbers with their words, as people say them.

/// `1 battle`, `2 battles`.
pub fn counted(count: impl Into<i128>, one: &str) -> String {
    let count = count.into();
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one() {
        let said = [0, 1, 2].map(|count| counted(count, "battle"));
        assert_eq!(said, ["0 battles", "1 battle", "2 battles"]);
    }
}
