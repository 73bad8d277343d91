//! Bytes as text: pairs of hexadecimal digits; the rest of a line after `;` is a remark.

/// The bytes of a text, or what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Vec<u8>, String> {
    let code = text.lines().map(|line| line.split(';').next().unwrap_or_default());
    let words = code.flat_map(str::split_whitespace);
    words
        .map(|word| u8::from_str_radix(word, 16).map_err(|_| format!("{word:?} is no byte")))
        .collect()
}

/// Sixteen bytes a line.
pub(crate) fn print(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).map(|line| {
        let words: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        words.join(" ") + "\n"
    });
    lines.collect()
}
