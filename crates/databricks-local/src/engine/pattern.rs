//! The patterns of `SHOW … LIKE`: Hive's, not SQL's.

/// A Hive pattern: `*` is any text, `.` any character, `|` separates alternatives; letters match in any case.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    alternatives: Vec<Vec<char>>,
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Self {
        let alternatives = pattern
            .split('|')
            .map(|part| part.trim().to_lowercase().chars().collect())
            .collect();
        Self { alternatives }
    }

    /// The pattern that matches everything when there is none.
    pub(crate) fn or_any(pattern: Option<&str>) -> Self {
        Self::new(pattern.unwrap_or("*"))
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.to_lowercase().chars().collect();
        self.alternatives.iter().any(|alternative| matches(alternative, &name))
    }
}

/// Glob matching in linear space: on a mismatch the last star takes one more character.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while position < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, position));
                at += 1;
            }
            Some(&character) if character == '.' || character == name[position] => {
                at += 1;
                position += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    position = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&character| character == '*')
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn stars_dots_and_bars() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("line*", "LineItem", true),
            ("LINE*", "lineitem", true),
            ("l.neitem", "lineitem", true),
            ("l.neitem", "lneitem", false),
            ("a|b*", "bcd", true),
            ("a|b*", "ab", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "ab_a", false),
            ("line%", "lineitem", false),
            ("", "x", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }
}
