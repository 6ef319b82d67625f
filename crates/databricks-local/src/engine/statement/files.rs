//! Statements about files: volumes, transfers, and `COPY INTO`.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{Command, Cursor, syntax_error};
use crate::engine::error::{Class, SqlError};

/// `COPY INTO table FROM path` or `FROM (SELECT … FROM path)`.
#[derive(Debug)]
pub(crate) struct CopyInto {
    pub(crate) table: Vec<String>,
    pub(crate) path: String,
    /// `parquet`, `csv` or `json`.
    format: String,
    /// Whether files are copied that were copied before.
    pub(crate) force: bool,
    /// The query, and where in it the path stands.
    select: Vec<TokenWithSpan>,
    path_at: usize,
}

impl CopyInto {
    /// The query over one file.
    pub(crate) fn query(&self, path: &str) -> Vec<TokenWithSpan> {
        let call = [
            Token::make_word("read_files", None),
            Token::LParen,
            Token::SingleQuotedString(path.to_owned()),
            Token::Comma,
            Token::SingleQuotedString("format".to_owned()),
            Token::Comma,
            Token::SingleQuotedString(self.format.clone()),
            Token::RParen,
        ];
        let mut query = self.select.clone();
        query.splice(self.path_at..=self.path_at, call.map(TokenWithSpan::wrap));
        query
    }
}

/// A statement about a volume.
#[derive(Debug)]
pub(crate) enum VolumeStatement {
    Create { name: Vec<String>, if_not_exists: bool },
    Drop { name: Vec<String>, if_exists: bool },
    Transfer(Transfer),
}

/// A transfer that the client makes itself, with a link that the workspace signs: `PUT`, `GET`, `REMOVE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// `PUT`, `GET` or `REMOVE`.
    pub(crate) operation: &'static str,
    pub(crate) volume_path: String,
    pub(crate) local_file: Option<String>,
    pub(crate) overwrite: bool,
}

impl Cursor<'_> {
    /// `PUT 'file' INTO 'path' [OVERWRITE]`, `GET 'path' TO 'file'`, `REMOVE 'path'`.
    pub(super) fn transfer(&mut self, head: &str) -> Result<Command, SqlError> {
        let first = self.string()?;
        let transfer = match head {
            "PUT" => {
                self.expect("INTO")?;
                Transfer {
                    operation: "PUT",
                    volume_path: self.string()?,
                    local_file: Some(first),
                    overwrite: self.keyword("OVERWRITE"),
                }
            }
            "GET" => {
                self.expect("TO")?;
                Transfer {
                    operation: "GET",
                    volume_path: first,
                    local_file: Some(self.string()?),
                    overwrite: false,
                }
            }
            _ => Transfer {
                operation: "REMOVE",
                volume_path: first,
                local_file: None,
                overwrite: false,
            },
        };
        self.end(Command::Volume(VolumeStatement::Transfer(transfer)))
    }

    pub(super) fn create_volume(&mut self) -> Result<Command, SqlError> {
        let if_not_exists = self.keywords(&["IF", "NOT", "EXISTS"]);
        let name = self.dotted(3)?;
        if self.keyword("COMMENT") {
            self.string()?;
        }
        self.end(Command::Volume(VolumeStatement::Create { name, if_not_exists }))
    }

    pub(super) fn drop_volume(&mut self) -> Result<Command, SqlError> {
        let if_exists = self.keywords(&["IF", "EXISTS"]);
        let name = self.dotted(3)?;
        self.end(Command::Volume(VolumeStatement::Drop { name, if_exists }))
    }

    pub(super) fn copy(&mut self) -> Result<Command, SqlError> {
        self.expect("INTO")?;
        let table = self.dotted(3)?;
        self.expect("FROM")?;
        let (select, path_at) = if self.string_is_next() {
            let path = TokenWithSpan::wrap(Token::SingleQuotedString(self.string()?));
            let words = [Token::make_keyword("SELECT"), Token::Mul, Token::make_keyword("FROM")];
            let mut select: Vec<TokenWithSpan> = words.map(TokenWithSpan::wrap).into();
            select.push(path);
            (select, 3)
        } else {
            self.symbol(&Token::LParen)?;
            self.parenthesised_select()?
        };
        let Token::SingleQuotedString(path) = &select[path_at].token else {
            return Err(self.error_before());
        };
        let path = path.clone();
        self.expect("FILEFORMAT")?;
        self.symbol(&Token::Eq)?;
        let format = self.name()?.to_ascii_lowercase();
        let mut force = false;
        while let Some(next) = self.next() {
            let clause = match next {
                Token::Word(word) => word.value.to_ascii_uppercase(),
                _ => return Err(self.error_before()),
            };
            if clause != "COPY_OPTIONS" {
                return Err(SqlError::new(
                    Class::UNSUPPORTED_FEATURE,
                    format!("The clause {clause} of COPY INTO is not supported here."),
                ));
            }
            self.symbol(&Token::LParen)?;
            let option = self.string()?;
            self.symbol(&Token::Eq)?;
            let value = self.string()?;
            self.symbol(&Token::RParen)?;
            if !option.eq_ignore_ascii_case("force") {
                return Err(SqlError::new(
                    Class::UNSUPPORTED_FEATURE,
                    format!("The option {option} of COPY INTO is not supported here."),
                ));
            }
            force = value.eq_ignore_ascii_case("true");
        }
        Ok(Command::CopyInto(CopyInto {
            table,
            path,
            format,
            force,
            select,
            path_at,
        }))
    }

    /// The tokens up to the closing parenthesis, and the place of the path among them.
    fn parenthesised_select(&mut self) -> Result<(Vec<TokenWithSpan>, usize), SqlError> {
        let (mut select, mut path_at, mut depth, mut after_from) = (Vec::new(), None, 0_usize, false);
        while let Some(token) = self.tokens.get(self.position) {
            self.position += 1;
            match &token.token {
                Token::LParen => depth += 1,
                Token::RParen if depth == 0 => {
                    return match path_at {
                        Some(at) => Ok((select, at)),
                        None => Err(self.error_before()),
                    };
                }
                Token::RParen => depth -= 1,
                Token::SingleQuotedString(_) if after_from && depth == 0 => path_at = Some(select.len()),
                _ => {}
            }
            if !matches!(token.token, Token::Whitespace(_)) {
                after_from = matches!(&token.token, Token::Word(word) if word.value.eq_ignore_ascii_case("FROM"));
            }
            select.push(token.clone());
        }
        Err(syntax_error("end of input"))
    }
}
