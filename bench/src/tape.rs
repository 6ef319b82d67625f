//! What `bench/record.py` recorded.

use std::path::Path;
use std::{fs, io};

use serde_json::{Value, json};

/// The number under which the small result's chunk is served.
pub const SMALL: usize = usize::MAX;

/// Recorded answers.
#[derive(Debug)]
pub struct Tape {
    /// The chunks of the large result, as storage sends them.
    pub chunks: Vec<Vec<u8>>,
    /// The chunk of the small result.
    pub small_chunk: Vec<u8>,
    /// The answer to the large query, without links.
    pub large: Value,
    /// The small query's answer with an attachment.
    pub hybrid: Value,
    /// The small query's answer with a link.
    pub links: Value,
    /// The small query's answer with JSON rows.
    pub json: Value,
}

impl Tape {
    /// Reads a recording.
    ///
    /// # Errors
    /// It is not there or not whole.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let answer = |name: &str| -> io::Result<Value> {
            let text = fs::read(directory.join(format!("{name}.json")))?;
            serde_json::from_slice(&text).map_err(io::Error::other)
        };
        let large = answer("large")?;
        let count = large["manifest"]["total_chunk_count"].as_u64().unwrap_or(0);
        Ok(Self {
            chunks: (0..count)
                .map(|index| fs::read(directory.join(format!("{index}.chunk"))))
                .collect::<io::Result<_>>()?,
            small_chunk: fs::read(directory.join("small.chunk"))?,
            hybrid: answer("hybrid")?,
            links: answer("links")?,
            json: answer("json")?,
            large,
        })
    }

    /// What a chunk request is answered with: the link to one chunk.
    pub fn link(&self, host: &str, index: usize) -> Value {
        let chunk = &self.large["manifest"]["chunks"][index];
        let mut link = json!({
            "external_link": format!("http://{host}/results/{index}"),
            "expiration": "2099-01-01T00:00:00.000Z",
            "chunk_index": index,
            "row_offset": chunk["row_offset"],
            "row_count": chunk["row_count"],
            "byte_count": chunk["byte_count"],
        });
        if index + 1 < self.chunks.len() {
            link["next_chunk_index"] = json!(index + 1);
            link["next_chunk_internal_link"] = json!(format!(
                "/api/2.0/sql/statements/{}/result/chunks/{}",
                self.large["statement_id"].as_str().unwrap_or_default(),
                index + 1
            ));
        }
        json!({ "external_links": [link] })
    }
}
