//! Messages of the query engine without the engine's own words.

use arrow::datatypes::DataType;

use crate::engine::types::type_text;

/// The name of the function that a planner's message does not find.
pub(super) fn unknown_routine(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("Invalid function '") {
        return Some(rest.split_once("'.\n").map_or(rest, |(name, _)| name));
    }
    text.strip_prefix("table function '")?.strip_suffix("' not found")
}

/// The planner prints the syntax tree of what it does not know, `Unsupported ast node Pivot { table: …`: its kind says enough.
pub(super) fn not_implemented(text: &str) -> String {
    let kinds = [
        ("Unsupported ast node in sqltorel: ", ""),
        ("Unsupported ast node ", ""),
        ("Unsupported JOIN operator ", " JOIN"),
    ];
    let tree = |(prefix, noun)| Some((text.strip_prefix(prefix)?, noun));
    let Some((tree, noun)) = kinds.into_iter().find_map(tree) else {
        return with_sql_types(text);
    };
    let mut words = String::new();
    for character in tree.chars().take_while(char::is_ascii_alphanumeric) {
        if character.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(character.to_ascii_uppercase());
    }
    format!("{words}{noun} is not supported here.")
}

/// A message with types as SQL writes them: `INT` for `Int32`. What is in quotes stays, because it may be the user's.
pub(super) fn with_sql_types(text: &str) -> String {
    // The quotes of the user's text are not doubled there.
    let quoted = text
        .strip_prefix("Cannot cast string '")
        .and_then(|rest| rest.rfind("' to value of "));
    if let Some(length) = quoted {
        let (users, rest) = text.split_at("Cannot cast string '".len() + length + 1);
        return format!("{users}{}", with_sql_types(rest));
    }
    let mut worded = String::with_capacity(text.len());
    let mut quote = None;
    let mut before = None;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let mut length = character.len_utf8();
        let in_word = before.is_some_and(char::is_alphanumeric);
        let data_type = if quote.is_none() && !in_word {
            leading_type(rest)
        } else {
            None
        };
        if let Some((data_type, written)) = data_type {
            worded.push_str(&type_text(&data_type));
            length = written;
        } else {
            worded.push(character);
            // An apostrophe within a word is no quote.
            if quote.is_none() && !in_word && matches!(character, '\'' | '"' | '`') {
                quote = Some(character);
            } else if quote == Some(character) && !rest[length..].starts_with(char::is_alphanumeric) {
                quote = None;
            }
        }
        before = rest[..length].chars().next_back();
        rest = &rest[length..];
    }
    worded
}

/// The type that a text begins with, and the length of its name.
fn leading_type(text: &str) -> Option<(DataType, usize)> {
    let word = text
        .find(|character: char| !character.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    let length = if text[word..].starts_with('(') {
        let mut depth = 0_usize;
        let end = text[word..].find(|character: char| {
            match character {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            depth == 0
        })?;
        word + end + 1
    } else {
        word
    };
    // These are words of English too.
    if matches!(&text[..length], "" | "Null" | "Binary") {
        return None;
    }
    Some((text[..length].parse().ok()?, length))
}
