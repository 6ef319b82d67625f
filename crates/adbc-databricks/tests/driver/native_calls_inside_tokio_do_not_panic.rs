//! The driver has a runtime of its own: a caller inside another one may use it, on any flavour.

use crate::support::{Server, cloud, query};

async fn use_the_driver() {
    let server = Server::start(|request, port| cloud(request, port, 300, 5));
    let mut connection = server.connect();
    assert_eq!(query(&mut connection).unwrap().len(), 1500);
    tokio::task::yield_now().await;
    drop(connection);
}

#[tokio::test]
async fn on_a_current_thread_runtime() {
    use_the_driver().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn on_a_worker_of_a_multi_thread_runtime() {
    tokio::spawn(use_the_driver()).await.unwrap();
}
