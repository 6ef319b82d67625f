//! The workspace says how many entries it took; the others are counted and not sent again. Any answer can be read.

mod common;

use common::{PATIENCE, Workspace, attach, facts, forced};
use databricks_telemetry::{Outcome, operations};

#[test]
fn partial_refusals_are_counted() {
    let cases: [(&str, u64); 9] = [
        (
            r#"{"errors":[],"numSuccess":0,"numProtoSuccess":10,"numRealtimeSuccess":0}"#,
            10,
        ),
        (r#"{"errors":["no"],"numProtoSuccess":7,"somethingNew":{"a":[1]}}"#, 7),
        (r#"{"errors":["no","no"],"numProtoSuccess":0}"#, 0),
        (r#"{"numProtoSuccess":4000000000}"#, 10),
        (r#"{"numProtoSuccess":"7"}"#, 10),
        (r#"{"errors":null}"#, 10),
        ("<html>ok</html>", 10),
        ("", 10),
        ("[", 10),
    ];
    for (body, taken) in cases {
        let workspace = Workspace::new();
        workspace.always(Outcome::Delivered {
            body: body.as_bytes().to_vec(),
        });
        let lease = attach(&facts(), &forced(), &workspace);
        for _ in 0..10 {
            lease.root(&operations::STATEMENT_EXECUTE, None).end();
        }
        assert!(lease.flush(PATIENCE));
        let stats = lease.stats();
        assert_eq!((stats.delivered, stats.refused), (taken, 10 - taken), "{body}");
        assert_eq!(workspace.posts().len(), 1, "{body}");
    }
}
