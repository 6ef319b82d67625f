//! Reading types as SQL writes them.

use super::{SqlType, Srid, StructField, Units, decimal};

/// How deep types may be nested. Deeper ones are text: a type is data from the network and must not exhaust the stack.
const MAX_DEPTH: usize = 64;

/// A recursive-descent parser; `None` means "not a type I know".
pub(super) struct Parser<'a> {
    pub(super) rest: &'a str,
}

impl<'a> Parser<'a> {
    pub(super) fn sql_type(&mut self, depth: usize) -> Option<SqlType> {
        if depth > MAX_DEPTH {
            return None;
        }
        let start = self.rest.trim_start();
        let word = self.word()?.to_ascii_uppercase();
        Some(match word.as_str() {
            "BOOLEAN" => SqlType::Boolean,
            "TINYINT" | "BYTE" => SqlType::TinyInt,
            "SMALLINT" | "SHORT" => SqlType::SmallInt,
            "INT" | "INTEGER" => SqlType::Int,
            "BIGINT" | "LONG" => SqlType::BigInt,
            "FLOAT" | "REAL" => SqlType::Float,
            "DOUBLE" => SqlType::Double,
            "DECIMAL" | "DEC" | "NUMERIC" => match self.numbers()?.as_slice() {
                [] => decimal(10, 0),
                [precision] => decimal(*precision, 0),
                [precision, scale] => decimal(*precision, *scale),
                _ => return None,
            },
            "STRING" => {
                if self.keyword("COLLATE") {
                    self.word()?;
                }
                SqlType::String
            }
            "BINARY" => SqlType::Binary,
            "DATE" => SqlType::Date,
            "TIMESTAMP" | "TIMESTAMP_LTZ" => SqlType::Timestamp,
            "TIMESTAMP_NTZ" => SqlType::TimestampNtz,
            "INTERVAL" => self.interval()?,
            "VOID" | "NULL" => SqlType::Void,
            "ARRAY" => {
                self.symbol('<')?;
                let element = self.sql_type(depth + 1)?;
                self.symbol('>')?;
                SqlType::Array(Box::new(element))
            }
            "MAP" => {
                self.symbol('<')?;
                let key = self.sql_type(depth + 1)?;
                self.symbol(',')?;
                let value = self.sql_type(depth + 1)?;
                self.symbol('>')?;
                SqlType::Map(Box::new(key), Box::new(value))
            }
            "STRUCT" => SqlType::Struct(self.fields(depth + 1)?),
            "VARCHAR" => self.length().map(SqlType::Varchar)?,
            "CHAR" | "CHARACTER" => self.length().map(SqlType::Char)?,
            "VARIANT" => SqlType::Variant,
            "GEOGRAPHY" => SqlType::Geography(self.srid()?),
            "GEOMETRY" => SqlType::Geometry(self.srid()?),
            // What the future brings: a word, perhaps with something in parentheses.
            _ => {
                if self.peek() == Some('(') {
                    let end = self.rest.find(')')?;
                    self.rest = &self.rest[end + 1..];
                }
                SqlType::Other(start[..start.len() - self.rest.len()].trim_end().to_owned())
            }
        })
    }

    fn interval(&mut self) -> Option<SqlType> {
        const YEAR_MONTH: &[&str] = &["YEAR", "MONTH"];
        const DAY_TIME: &[&str] = &["DAY", "HOUR", "MINUTE", "SECOND"];
        let unit =
            |word: &str, family: &[&'static str]| family.iter().copied().find(|unit| unit.eq_ignore_ascii_case(word));
        let first = self.word()?;
        let family = if unit(first, YEAR_MONTH).is_some() {
            YEAR_MONTH
        } else {
            DAY_TIME
        };
        let from = unit(first, family)?;
        let to = if self.keyword("TO") {
            Some(unit(self.word()?, family)?)
        } else {
            None
        };
        let units = Units { from, to };
        Some(if family == YEAR_MONTH {
            SqlType::YearMonthInterval(units)
        } else {
            SqlType::DayTimeInterval(units)
        })
    }

    fn fields(&mut self, depth: usize) -> Option<Vec<StructField>> {
        self.symbol('<')?;
        let mut fields = Vec::new();
        if self.peek() == Some('>') {
            self.symbol('>')?;
            return Some(fields);
        }
        loop {
            let name = self.name()?;
            self.symbol(':')?;
            let sql_type = self.sql_type(depth)?;
            let not_null = self.keyword("NOT");
            if not_null && !self.keyword("NULL") {
                return None;
            }
            if self.keyword("COMMENT") {
                self.literal()?;
            }
            fields.push(StructField {
                name,
                sql_type,
                not_null,
            });
            match self.next()? {
                ',' => {}
                '>' => return Some(fields),
                _ => return None,
            }
        }
    }

    /// A field's name: in backticks (doubled inside), or everything up to the colon.
    fn name(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        let Some(quoted) = self.rest.strip_prefix('`') else {
            let (name, _) = self.rest.split_once(':')?;
            self.rest = &self.rest[name.len()..];
            let name = name.trim();
            return (!name.is_empty() && !name.contains(['<', '>', ',', '`'])).then(|| name.to_owned());
        };
        let mut name = String::new();
        let mut chars = quoted.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            if char != '`' {
                name.push(char);
            } else if chars.next_if(|(_, next)| *next == '`').is_some() {
                name.push('`');
            } else {
                self.rest = &quoted[at + 1..];
                return Some(name);
            }
        }
        None
    }

    /// A comment's text in quotes, with backslash escapes and doubled quotes.
    fn literal(&mut self) -> Option<()> {
        self.rest = self.rest.trim_start();
        let quote = self.rest.chars().next().filter(|char| matches!(char, '\'' | '"'))?;
        let inside = &self.rest[1..];
        let mut chars = inside.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            if char == '\\' {
                chars.next();
            } else if char == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
                self.rest = &inside[at + 1..];
                return Some(());
            }
        }
        None
    }

    /// `(10)`.
    fn length(&mut self) -> Option<u32> {
        match self.numbers()?.as_slice() {
            [length] => Some(*length),
            _ => None,
        }
    }

    /// `(4326)`, or `(ANY)` for [`None`].
    fn srid(&mut self) -> Option<Srid> {
        self.symbol('(')?;
        let (inside, rest) = self.rest.split_once(')')?;
        self.rest = rest;
        match inside.trim() {
            any if any.eq_ignore_ascii_case("ANY") => Some(None),
            number => number.parse().ok().map(Some),
        }
    }

    /// `(1,2)`, or nothing.
    fn numbers(&mut self) -> Option<Vec<u32>> {
        if self.peek() != Some('(') {
            return Some(Vec::new());
        }
        self.symbol('(')?;
        let (inside, rest) = self.rest.split_once(')')?;
        self.rest = rest;
        inside.split(',').map(|number| number.trim().parse().ok()).collect()
    }

    fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let end = rest
            .find(|char: char| !(char.is_ascii_alphanumeric() || char == '_'))
            .unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let before = self.rest;
        let found = self.word().is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        if !found {
            self.rest = before;
        }
        found
    }

    fn peek(&self) -> Option<char> {
        self.rest.trim_start().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.trim_start().chars();
        let char = chars.next()?;
        self.rest = chars.as_str();
        Some(char)
    }

    fn symbol(&mut self, symbol: char) -> Option<()> {
        (self.next()? == symbol).then_some(())
    }
}
