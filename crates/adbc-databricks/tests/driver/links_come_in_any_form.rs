//! One link per answer, several, out of order, twice: the rows are the same.
#![allow(clippy::single_range_in_vec_init, reason = "a stream of one batch has one range")]

use serde_json::json;

use crate::support::{
    self, Reply, Server, cloud, is_chunk, is_storage, last_number, link, links, manifest, ok, query, succeeded,
};

fn expected(rows: i64) -> Vec<i64> {
    (0..rows).collect()
}

#[test]
fn one_link_per_answer() {
    let server = Server::start(|request, port| cloud(request, port, 20, 5));
    assert_eq!(query(&mut server.connect()).unwrap(), expected(100));
    // Single flight: the link of each chunk after the first is asked for once.
    assert_eq!(server.count(is_chunk), 19);
    assert_eq!(server.count(is_storage), 20);
}

#[test]
fn several_links_per_answer_out_of_order_and_twice() {
    let server = Server::start(|request, port| {
        let some = |from: u64| {
            let mut some: Vec<_> = (from..(from + 4).min(10))
                .map(|index| link(port, index, 5, 10, ""))
                .collect();
            some.reverse();
            some.push(some[0].clone());
            some.extend((from > 0).then(|| link(port, from - 1, 5, 10, "")));
            links(some)
        };
        if request.is_execute() {
            return Some(ok(succeeded(manifest(&[5; 10]), some(0))));
        }
        if is_chunk(request) {
            return Some(ok(some(last_number(&request.path))));
        }
        cloud(request, port, 10, 5)
    });
    assert_eq!(query(&mut server.connect()).unwrap(), expected(50));
    assert_eq!(server.count(is_storage), 10);
}

#[test]
fn without_a_chunk_count_the_links_lead_on() {
    let server = Server::start(|request, port| {
        if request.is_execute() {
            let mut manifest = manifest(&[5; 7]);
            for absent in ["chunks", "total_chunk_count", "total_row_count", "total_byte_count"] {
                manifest.as_object_mut().unwrap().remove(absent);
            }
            return Some(ok(succeeded(manifest, links(vec![link(port, 0, 5, 7, "")]))));
        }
        cloud(request, port, 7, 5)
    });
    assert_eq!(query(&mut server.connect()).unwrap(), expected(35));
}

#[test]
fn a_first_answer_without_links_is_asked_for_them() {
    let server = Server::start(|request, port| {
        if request.is_execute() {
            return Some(ok(succeeded(manifest(&[5, 5]), json!({}))));
        }
        cloud(request, port, 2, 5)
    });
    assert_eq!(query(&mut server.connect()).unwrap(), expected(10));
}

#[test]
fn a_slow_first_chunk_does_not_change_the_order() {
    let server = Server::start(|request, port| {
        if is_storage(request) && last_number(&request.path) == 0 {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        cloud(request, port, 12, 5)
    });
    let options = [
        ("databricks.cloudfetch.parallel_downloads", "3"),
        ("databricks.cloudfetch.memory_budget_bytes", "1"),
    ];
    assert_eq!(query(&mut server.connect_with(&options)).unwrap(), expected(60));
    assert_eq!(query(&mut server.connect_with(&options[..1])).unwrap(), expected(60));
}

#[test]
fn uncompressed_files_are_read_as_they_are() {
    let server = Server::start(|request, port| {
        if request.is_execute() {
            let mut manifest = manifest(&[5, 5]);
            manifest["result_compression"] = json!("NONE");
            return Some(ok(succeeded(manifest, links(vec![link(port, 0, 5, 2, "")]))));
        }
        if is_storage(request) {
            let from = last_number(&request.path) as i64 * 5;
            return Some(Reply::Bytes(support::stream(&[from..from + 2, from + 2..from + 5])));
        }
        cloud(request, port, 2, 5)
    });
    assert_eq!(query(&mut server.connect()).unwrap(), expected(10));
}
