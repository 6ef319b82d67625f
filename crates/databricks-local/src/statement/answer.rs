//! What a client is told about a statement.

use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use databricks_wire::sea::{
    ChunkInfo, Compression, ExternalLink, Format, Manifest, ResultSchema, ServiceError, StatementState,
    StatementStatus, chunk_path,
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Outcome, Phase, Shape, Statement};
use crate::result::depot::blocking;
use crate::result::links::Links;

/// Up to this many bytes are put into an answer on the spot: handing them to another thread would take longer.
const ON_THE_SPOT: usize = 64 << 10;

/// The answer to executing a statement or asking about it. Absent members are omitted, never null.
#[derive(Serialize)]
pub(crate) struct Answer {
    statement_id: String,
    status: StatementStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<Manifest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Part>,
}

/// A part of a result: inside an [`Answer`], or the answer to a chunk request.
///
/// The wire crate has the same type for readers; this one holds inline rows as the text they already are.
#[derive(Default, Serialize)]
pub(crate) struct Part {
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row_offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    byte_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_array: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_links: Option<Vec<ExternalLink>>,
}

impl Answer {
    /// What is known now. Links point to `base_url`.
    ///
    /// # Errors
    /// When a spooled chunk cannot be read.
    pub(crate) async fn about(statement: &Statement, links: &Links, base_url: &str) -> io::Result<Self> {
        Self::at(statement, statement.phase(), links, base_url).await
    }

    /// That the statement was accepted: what an asynchronous call is told, however fast the statement is.
    pub(crate) fn accepted(statement: &Statement) -> Self {
        Self {
            statement_id: statement.id.clone(),
            status: StatementStatus {
                state: StatementState::Pending,
                ..StatementStatus::default()
            },
            manifest: None,
            result: None,
        }
    }

    async fn at(statement: &Statement, phase: Phase, links: &Links, base_url: &str) -> io::Result<Self> {
        let mut status = StatementStatus {
            state: phase.state(),
            ..StatementStatus::default()
        };
        let (mut manifest, mut result) = (None, None);
        match phase {
            Phase::Succeeded(outcome) => {
                status.num_modified_rows = outcome.num_modified_rows;
                manifest = Some(manifest_of(&outcome, statement.shape));
                result = match outcome.chunks.is_empty() {
                    true => Some(Part::default()),
                    false => Part::of(&statement.id, statement.shape, &outcome, 0, links, base_url).await?,
                };
            }
            Phase::Failed(failure) => {
                status.sql_state = Some(failure.sql_state.clone());
                status.error = Some(ServiceError {
                    error_code: Some(failure.error_code.to_owned()),
                    message: Some(failure.message.clone()),
                    sql_state: Some(failure.sql_state.clone()),
                });
            }
            Phase::Pending | Phase::Running | Phase::Canceled | Phase::Closed => {}
        }
        Ok(Self {
            statement_id: statement.id.clone(),
            status,
            manifest,
            result,
        })
    }
}

impl Part {
    /// Chunk `index` of a result; `None` when there is no such chunk.
    ///
    /// # Errors
    /// When a spooled chunk cannot be read.
    pub(crate) async fn of(
        statement_id: &str,
        shape: Shape,
        outcome: &Arc<Outcome>,
        index: u64,
        links: &Links,
        base_url: &str,
    ) -> io::Result<Option<Self>> {
        let Some(place) = usize::try_from(index)
            .ok()
            .filter(|place| *place < outcome.chunks.len())
        else {
            return Ok(None);
        };
        let chunk = &outcome.chunks[place];
        if !outcome.is_inline {
            let link = links.sign(base_url, statement_id, index);
            let next = outcome.chunks.get(place + 1).map(|next| (index + 1, next.row_offset));
            return Ok(Some(Self {
                external_links: Some(vec![ExternalLink {
                    external_link: link.url.into(),
                    expiration: Some(link.expiration),
                    chunk_index: index,
                    row_offset: chunk.row_offset,
                    row_count: chunk.row_count,
                    byte_count: Some(chunk.byte_count),
                    next_chunk_index: next.map(|(index, _)| index),
                    next_chunk_internal_link: next
                        .map(|(index, offset)| format!("{}?row_offset={offset}", chunk_path(statement_id, index))),
                    ..ExternalLink::default()
                }]),
                ..Self::default()
            }));
        }
        let part = Self {
            chunk_index: Some(index),
            row_offset: Some(chunk.row_offset),
            row_count: Some(chunk.row_count),
            byte_count: Some(chunk.byte_count),
            ..Self::default()
        };
        let stored = &chunk.stored;
        if let Some(bytes) = stored
            .in_memory(&(0..stored.len()))
            .filter(|bytes| bytes.len() <= ON_THE_SPOT)
        {
            return part.with_body(shape, &bytes).map(Some);
        }
        let outcome = Arc::clone(outcome);
        blocking(move || part.with_body(shape, &outcome.chunks[place].stored.read()?).map(Some)).await
    }

    /// The part with a chunk's bytes inside.
    fn with_body(mut self, shape: Shape, bytes: &[u8]) -> io::Result<Self> {
        match shape.format {
            Format::ArrowStream => self.attachment = Some(STANDARD.encode(bytes)),
            Format::JsonArray | Format::Csv => self.data_array = Some(raw_json(bytes)?),
        }
        Ok(self)
    }
}

fn manifest_of(outcome: &Outcome, shape: Shape) -> Manifest {
    Manifest {
        format: Some(shape.format),
        schema: ResultSchema {
            column_count: outcome.columns.len() as u64,
            columns: outcome.columns.clone(),
        },
        total_chunk_count: Some(outcome.chunks.len() as u64),
        total_row_count: Some(outcome.row_count),
        total_byte_count: Some(outcome.byte_count),
        truncated: outcome.truncated,
        chunks: Some(
            (0..)
                .zip(&outcome.chunks)
                .map(|(index, chunk)| ChunkInfo {
                    chunk_index: index,
                    row_offset: chunk.row_offset,
                    row_count: chunk.row_count,
                    byte_count: Some(chunk.byte_count),
                })
                .collect(),
        ),
        result_compression: (shape.format == Format::ArrowStream).then_some(if shape.lz4 {
            Compression::Lz4Frame
        } else {
            Compression::None
        }),
        is_volume_operation: outcome.is_transfer.then_some(true),
        ..Manifest::default()
    }
}

fn raw_json(bytes: &[u8]) -> io::Result<Box<RawValue>> {
    serde_json::from_slice(bytes).map_err(io::Error::other)
}
