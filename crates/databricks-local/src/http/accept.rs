//! Listening, and one task per connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::door;
use crate::state::State;

/// How long a client may take to shake hands.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// Accepts connections until the task is dropped.
pub(crate) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router, state: Arc<State>) {
    let local: Arc<str> = match listener.local_addr() {
        Ok(address) => address.to_string().into(),
        Err(_) => "localhost".into(),
    };
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                if !is_about_one_connection(&error) {
                    // Out of file descriptors, most likely: wait for some to be closed instead of spinning.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                continue;
            }
        };
        tokio::spawn(serve(
            stream,
            tls.clone(),
            router.clone(),
            Arc::clone(&state),
            Arc::clone(&local),
        ));
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, state: Arc<State>, local: Arc<str>) {
    // Without it an answer in two packets waits for the client's delayed acknowledgement, 40 ms each time.
    let _ = stream.set_nodelay(true);
    match tls {
        None => exchange("http", stream, router, state, local).await,
        Some(acceptor) => {
            // A client that does not trust the certificate ends the handshake; that is its affair.
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                exchange("https", stream, router, state, local).await;
            }
        }
    }
}

async fn exchange<S>(scheme: &'static str, stream: S, router: Router, state: Arc<State>, local: Arc<str>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        door::answer(Arc::clone(&state), router.clone(), scheme, Arc::clone(&local), request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // No time limit on the next request's head: it would close the idle connections that clients keep for reuse.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .adaptive_window(true)
        .max_concurrent_streams(256);
    // Errors here are a client's disconnect, a request that is not HTTP, or a fault that drops the connection.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}
