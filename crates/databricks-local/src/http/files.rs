//! The Files API: files and directories of volumes as raw bytes.
//!
//! See <https://docs.databricks.com/api/workspace/files>.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path as LocalPath;
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State as Shared};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reply::{Refusal, ok, with_type};
use super::storage::{Requested, requested_range, set};
use crate::engine::SqlError;
use crate::engine::volumes::VolumePath;
use crate::result::depot::blocking;
use crate::state::State;

/// Where files are; what follows is their path.
pub(super) const PATH: &str = "/api/2.0/fs/files/";

/// The largest file that the service takes in one request.
const FILE_LIMIT: u64 = 5 << 30;
/// How much of a file is read at once.
const PIECE_BYTES: usize = 256 << 10;
/// How many entries a page of a directory has unless the client asks for fewer, and at most.
const PAGE_SIZE: usize = 1000;

#[derive(Deserialize)]
pub(super) struct Overwrite {
    overwrite: Option<bool>,
}

/// `PUT /api/2.0/fs/files/{path}?overwrite=true`. The file is there whole or not at all.
pub(super) async fn upload(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<String>,
    Query(Overwrite { overwrite }): Query<Overwrite>,
    request: Request,
) -> Result<Response, Refusal> {
    let place = find(&state, &path)?;
    receive(&state, &place, overwrite.unwrap_or(true), request.into_body()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /api/2.0/fs/files/{path}`, whole or a range.
pub(super) async fn download(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    send(&find(&state, &path)?, request.headers()).await
}

/// `HEAD /api/2.0/fs/files/{path}`.
pub(super) async fn describe(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let mut response = send(&find(&state, &path)?, request.headers()).await?;
    *response.body_mut() = Body::empty();
    Ok(response)
}

/// `DELETE /api/2.0/fs/files/{path}`.
pub(super) async fn remove(Shared(state): Shared<Arc<State>>, Path(path): Path<String>) -> Result<Response, Refusal> {
    delete(&find(&state, &path)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `PUT /api/2.0/fs/directories/{path}`. Those above it are made as well; one that is there already is no error.
pub(super) async fn make_directory(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<String>,
) -> Result<Response, Refusal> {
    let place = find(&state, &path)?;
    blocking(move || std::fs::create_dir_all(&place.local))
        .await
        .map_err(|_| exists("there is a file where a directory should be made"))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `HEAD /api/2.0/fs/directories/{path}`.
pub(super) async fn describe_directory(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<String>,
) -> Result<Response, Refusal> {
    let place = find(&state, &path)?;
    match place.local.is_dir() {
        true => Ok(StatusCode::OK.into_response()),
        false => Err(missing()),
    }
}

/// `DELETE /api/2.0/fs/directories/{path}`. Only an empty directory goes.
pub(super) async fn remove_directory(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<String>,
) -> Result<Response, Refusal> {
    let place = find(&state, &path)?;
    if place.is_root {
        return Err(Refusal::invalid("a volume is dropped with DROP VOLUME"));
    }
    blocking(move || std::fs::remove_dir(&place.local))
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => missing(),
            io::ErrorKind::DirectoryNotEmpty => Refusal::new(
                StatusCode::BAD_REQUEST,
                "DIRECTORY_NOT_EMPTY",
                "the directory is not empty",
            ),
            _ => unusable(&error),
        })?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
pub(super) struct Page {
    page_size: Option<usize>,
    page_token: Option<String>,
}

#[derive(Serialize)]
struct Listing {
    contents: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    path: String,
    name: String,
    is_directory: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<u64>,
    /// Milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<i64>,
}

/// `GET /api/2.0/fs/directories/{path}?page_size=…&page_token=…`. A token is the name after which the page begins.
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<String>,
    Query(page): Query<Page>,
) -> Result<Response, Refusal> {
    let place = find(&state, &path)?;
    let size = page.page_size.unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE);
    let mut entries = blocking(move || entries(&place)).await.map_err(|_| missing())?;
    if let Some(after) = &page.page_token {
        entries.retain(|entry| entry.name.as_str() > after.as_str());
    }
    let more = entries.len() > size;
    entries.truncate(size);
    let next_page_token = entries.last().filter(|_| more).map(|entry| entry.name.clone());
    Ok(ok(&Listing {
        contents: entries,
        next_page_token,
    }))
}

fn entries(place: &VolumePath) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(&place.local)? {
        let entry = entry?;
        let (about, name) = (entry.metadata()?, entry.file_name().to_string_lossy().into_owned());
        entries.push(Entry {
            path: format!("{}/{name}", place.path),
            name,
            is_directory: about.is_dir(),
            file_size: about.is_file().then_some(about.len()),
            last_modified: about.modified().ok().map(milliseconds),
        });
    }
    entries.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(entries)
}

fn milliseconds(time: SystemTime) -> i64 {
    Timestamp::try_from(time).map_or(0, |time| time.as_millisecond())
}

/// The place of a path that lacks its first slash, because the route took it.
fn find(state: &State, path: &str) -> Result<VolumePath, Refusal> {
    state
        .engine
        .volumes
        .find(&format!("/{path}"))
        .map_err(|error| refusal(&error))
}

fn refusal(error: &SqlError) -> Refusal {
    match error.class {
        "VOLUME_DOES_NOT_EXIST" => Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", error.message.clone()),
        _ => Refusal::invalid(error.message.clone()),
    }
}

/// Puts a body where a file belongs: first beside it, then in its place.
pub(super) async fn receive(state: &State, place: &VolumePath, overwrite: bool, body: Body) -> Result<(), Refusal> {
    if place.is_root || place.local.is_dir() {
        return Err(exists("there is a directory where the file should be"));
    }
    if !overwrite && place.local.exists() {
        return Err(exists("the file is there already"));
    }
    let scratch = Scratch(state.engine.volumes.scratch().map_err(|error| unusable(&error))?);
    let path = scratch.0.clone();
    let mut file = blocking(move || std::fs::File::create_new(path))
        .await
        .map_err(|error| unusable(&error))?;
    let (mut body, mut size) = (body.into_data_stream(), 0_u64);
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| {
            Refusal::new(
                StatusCode::BAD_REQUEST,
                "BAD_REQUEST",
                "the file was cut short on its way",
            )
        })?;
        size += piece.len() as u64;
        if size > FILE_LIMIT {
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "REQUEST_TOO_LARGE",
                "a file can have 5 GiB",
            ));
        }
        file = blocking(move || {
            io::Write::write_all(&mut file, &piece)?;
            Ok(file)
        })
        .await
        .map_err(|error| unusable(&error))?;
    }
    drop(file);
    let target = place.local.clone();
    blocking(move || {
        if let Some(directory) = target.parent() {
            std::fs::create_dir_all(directory)?;
        }
        if overwrite {
            std::fs::rename(&scratch.0, &target)
        } else {
            // Fails if somebody else was faster.
            std::fs::hard_link(&scratch.0, &target)
        }
    })
    .await
    .map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists("the file is there already"),
        _ => unusable(&error),
    })
}

/// A file that is being written. It goes away unless it was moved.
struct Scratch(std::path::PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A file, or the range of it that the headers ask for.
pub(super) async fn send(place: &VolumePath, headers: &HeaderMap) -> Result<Response, Refusal> {
    let path = place.local.clone();
    let (file, about) = blocking(move || {
        let file = std::fs::File::open(path)?;
        let about = file.metadata()?;
        Ok((file, about))
    })
    .await
    .map_err(|_| missing())?;
    if !about.is_file() {
        return Err(missing());
    }
    let len = about.len();
    let (status, range) = match requested_range(headers, len) {
        Requested::Whole => (StatusCode::OK, 0..len),
        Requested::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Requested::Impossible => {
            return Err(Refusal::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "INVALID_RANGE",
                "the file has no such range",
            ));
        }
    };
    let mut response = with_type(status, "application/octet-stream", contents(file, range.clone()));
    set(
        &mut response,
        header::CONTENT_LENGTH,
        &(range.end - range.start).to_string(),
    );
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    if status == StatusCode::PARTIAL_CONTENT {
        let last = range.end.saturating_sub(1);
        set(
            &mut response,
            header::CONTENT_RANGE,
            &format!("bytes {}-{last}/{len}", range.start),
        );
    }
    if let Ok(modified) = about
        .modified()
        .and_then(|time| Timestamp::try_from(time).map_err(io::Error::other))
    {
        set(
            &mut response,
            header::LAST_MODIFIED,
            &modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        );
    }
    Ok(response)
}

fn contents(file: std::fs::File, range: Range<u64>) -> Body {
    let pieces = futures::stream::try_unfold((file, range), async |(mut file, range)| {
        if range.is_empty() {
            return Ok::<_, io::Error>(None);
        }
        let read = blocking(move || {
            let wanted = usize::try_from(range.end - range.start).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
            let mut piece = vec![0; wanted];
            file.seek(SeekFrom::Start(range.start))?;
            file.read_exact(&mut piece)?;
            let next = range.start + wanted as u64..range.end;
            Ok((piece, (file, next)))
        });
        read.await.map(Some)
    });
    Body::from_stream(pieces)
}

/// Removes a file.
pub(super) async fn delete(place: &VolumePath) -> Result<(), Refusal> {
    let path = place.local.clone();
    blocking(move || remove_file(&path)).await.map_err(|_| missing())
}

fn remove_file(path: &LocalPath) -> io::Result<()> {
    std::fs::remove_file(path)
}

fn missing() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing at this path")
}

fn exists(message: &str) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, "ALREADY_EXISTS", message)
}

fn unusable(error: &io::Error) -> Refusal {
    Refusal::internal(format!("the volume's directory cannot be used: {}", error.kind()))
}
