//! A client that nobody here wrote (reqwest), and what tests do with it again and again.

use std::io::Read as _;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use databricks_local::{Workspace, WorkspaceBuilder};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

/// A query that never ends by itself within the life of a test.
pub(crate) const ENDLESS: &str = "SELECT count(*) FROM range(0, 1000000000000)";

/// A small workspace.
pub(crate) fn builder() -> WorkspaceBuilder {
    Workspace::builder().scale_factor(0.001)
}

/// A client of one workspace.
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) token: Option<String>,
    pub(crate) warehouse_id: String,
}

/// An answer with its JSON body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(workspace: &Workspace) -> Self {
        Self {
            http: http().build().unwrap(),
            url: workspace.url().to_owned(),
            token: Some(workspace.token().to_owned()),
            warehouse_id: workspace.warehouse_id().to_owned(),
        }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<String>) -> Response {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let response = self.send(method, path, body.map(|body| body.to_string())).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: not JSON: {text}"));
        Answer { status, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    /// Executes a statement with these further members.
    pub(crate) async fn execute(&self, sql: &str, members: Value) -> Answer {
        let mut body = json!({ "warehouse_id": self.warehouse_id, "statement": sql });
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.post("/api/2.0/sql/statements", body).await
    }

    /// Executes a statement that must succeed, and returns the answer's body.
    pub(crate) async fn succeed(&self, sql: &str, mut members: Value) -> Value {
        // As long as it may be: the first query over sample data prepares their vocabulary, which takes an unoptimised
        // build several seconds.
        if members.get("wait_timeout").is_none() {
            members["wait_timeout"] = json!("50s");
        }
        let answer = self.execute(sql, members).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        assert_eq!(answer.body["status"]["state"], "SUCCEEDED", "{}", answer.body["status"]);
        answer.body
    }

    /// Executes a statement, and returns its id at once.
    pub(crate) async fn submit(&self, sql: &str) -> String {
        let answer = self.execute(sql, json!({ "wait_timeout": "0s" })).await;
        answer.body["statement_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn state(&self, id: &str) -> String {
        let answer = self.get(&statement(id)).await;
        answer.body["status"]["state"].as_str().unwrap().to_owned()
    }

    /// Asks about a statement until its state is `wanted`.
    pub(crate) async fn wait_for_state(&self, id: &str, wanted: &str) {
        while self.state(id).await != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The link to chunk `index`, from a chunk request.
    pub(crate) async fn link(&self, id: &str, index: u64) -> Value {
        let answer = self.get(&chunk(id, index)).await;
        let links = answer.body["external_links"].as_array().unwrap();
        assert_eq!(links.len(), 1, "exactly one link for each chunk request");
        links[0].clone()
    }

    /// Downloads a link without credentials.
    pub(crate) async fn download(&self, link: &Value) -> Response {
        self.http
            .get(link["external_link"].as_str().unwrap())
            .send()
            .await
            .unwrap()
    }

    /// Follows a result from link to link, and returns the bodies of its chunks.
    pub(crate) async fn chunks(&self, result: &Value) -> Vec<Vec<u8>> {
        let mut bodies = Vec::new();
        let mut link = result["result"]["external_links"][0].clone();
        loop {
            assert_eq!(link["chunk_index"], bodies.len());
            let response = self.download(&link).await;
            assert_eq!(response.status(), StatusCode::OK);
            bodies.push(response.bytes().await.unwrap().to_vec());
            let Some(next) = link["next_chunk_internal_link"].as_str() else {
                return bodies;
            };
            link = self.get(next).await.body["external_links"][0].clone();
        }
    }
}

pub(crate) fn http() -> reqwest::ClientBuilder {
    // Another test may have installed it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy()
}

pub(crate) fn statement(id: &str) -> String {
    format!("/api/2.0/sql/statements/{id}")
}

pub(crate) fn chunk(id: &str, index: u64) -> String {
    format!("{}/result/chunks/{index}", statement(id))
}

/// Everything that `frames` hold, however many they are.
pub(crate) fn decompressed(mut frames: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    while !frames.is_empty() {
        lz4_flex::frame::FrameDecoder::new(&mut frames)
            .read_to_end(&mut plain)
            .unwrap();
    }
    plain
}

/// The batches of an IPC stream that must end properly.
pub(crate) fn batches(stream: &[u8]) -> Vec<RecordBatch> {
    assert!(
        stream.ends_with(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
        "the stream has its end mark"
    );
    StreamReader::try_new(stream, None)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

pub(crate) fn rows(stream: &[u8]) -> usize {
    batches(stream).iter().map(RecordBatch::num_rows).sum()
}
