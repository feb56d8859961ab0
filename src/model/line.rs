//! Text from outside on one line of a list, a reason or a message.

/// The text on one line, with at most this many characters: without line breaks, control
/// characters, and characters that change the direction of writing.
pub(crate) fn one_line(text: &str, chars_max: usize) -> String {
    let words: Vec<&str> = text
        .split(|letter: char| letter.is_whitespace() || !is_shown(letter))
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(chars_max) {
        None => line,
        Some(_) => {
            let cut: String = line.chars().take(chars_max - 1).collect();
            format!("{}…", cut.trim_end())
        }
    }
}

/// Whether a character may be shown: control characters are invisible, and characters that change
/// the direction of writing can make a text look like another.
pub(crate) fn is_shown(letter: char) -> bool {
    !letter.is_control() && !matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
