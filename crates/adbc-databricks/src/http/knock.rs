//! A request for nothing, to see whether anybody answers.

use jiff::Timestamp;
use reqwest::header::{DATE, USER_AGENT};

use super::retry::http_date;
use super::{Client, transport_failure};
use crate::error::Result;

impl Client {
    /// Asks for `/`, without credentials: the status and the server's clock.
    ///
    /// # Errors
    /// `Io` when there is no answer.
    pub(crate) async fn knock(&self) -> Result<(u16, Option<Timestamp>)> {
        let mut request = self.http.get(self.endpoint.base.clone());
        if let Some(agent) = self.headers.get(USER_AGENT) {
            request = request.header(USER_AGENT, agent);
        }
        let answer = request.send().await;
        let answer = answer.map_err(|error| transport_failure(&error, &self.endpoint.authority()).error)?;
        let date = answer
            .headers()
            .get(DATE)
            .and_then(|date| http_date(date.to_str().ok()?));
        Ok((answer.status().as_u16(), date))
    }
}
