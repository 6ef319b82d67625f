//! Query tags: `key:value,key:value`, as the session's conf `QUERY_TAGS` and the option are written.

use databricks_wire::Sensitive;
use databricks_wire::sea::QueryTag;

/// Reads tags. A backslash makes the `,`, `:` or `\` behind it part of the text; a tag may have a key alone. `None` when a tag has no
/// key.
pub(crate) fn parse(text: &str) -> Option<Vec<QueryTag>> {
    let mut tags = Vec::new();
    let (mut key, mut value) = (String::new(), None::<String>);
    let mut letters = text.chars();
    loop {
        match letters.next() {
            letter @ (None | Some(',')) => {
                let is_last = letter.is_none();
                if is_last && tags.is_empty() && key.trim().is_empty() && value.is_none() {
                    return Some(tags);
                }
                let name = std::mem::take(&mut key).trim().to_owned();
                if name.is_empty() {
                    return None;
                }
                tags.push(QueryTag {
                    key: Sensitive::new(name),
                    value: value.take().map(|value| Sensitive::new(value.trim().to_owned())),
                });
                if is_last {
                    return Some(tags);
                }
            }
            Some(':') if value.is_none() => value = Some(String::new()),
            Some(letter) => {
                let letter = if letter == '\\' { letters.next()? } else { letter };
                value.as_mut().unwrap_or(&mut key).push(letter);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<(String, Option<String>)>> {
        let tags = parse(text)?.into_iter();
        let plain = |value: Sensitive<String>| value.expose().clone();
        Some(tags.map(|tag| (plain(tag.key), tag.value.map(plain))).collect())
    }

    fn tag(key: &str, value: Option<&str>) -> (String, Option<String>) {
        (key.to_owned(), value.map(str::to_owned))
    }

    #[test]
    fn tags_are_read_with_their_escapes() {
        assert_eq!(
            read("team:data, job:nightly").unwrap(),
            [tag("team", Some("data")), tag("job", Some("nightly"))]
        );
        assert_eq!(read("alone").unwrap(), [tag("alone", None)]);
        assert_eq!(read("url:http://x").unwrap(), [tag("url", Some("http://x"))]);
        assert_eq!(read(r"a\:b:c\,d\\").unwrap(), [tag("a:b", Some(r"c,d\"))]);
        assert_eq!(read("empty:").unwrap(), [tag("empty", Some(""))]);
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn a_tag_without_a_key_is_none() {
        for text in [":value", "a:b,", ",a:b", "a,,b", "a\\"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
