//! Without a URL: the environment's variables, a profile of `~/.databrickscfg`, and a browser that the driver opens.

use databricks_local::Workspace;

use crate::support::{self, dbsql, stderr, stdout, workspace};

fn with_robot() -> Workspace {
    workspace(|builder| builder.oauth_client("robot", "robot-canary"))
}

const QUERY: [&str; 4] = ["query", "SELECT 7 AS seven", "--format", "csv"];
const QUIET: [&str; 2] = ["-O", "enableTelemetry=false"];

#[test]
fn the_environment_of_a_service_principal() {
    let workspace = with_robot();
    let mut command = dbsql(&[&QUERY[..], &QUIET].concat());
    command.envs([
        ("DATABRICKS_HOST", workspace.url()),
        ("DATABRICKS_HTTP_PATH", &workspace.http_path()),
        ("DATABRICKS_CLIENT_ID", "robot"),
        ("DATABRICKS_CLIENT_SECRET", "robot-canary"),
    ]);
    let output = command.output().unwrap();
    assert!(stdout(&output).contains("seven\n7\n"), "{}", stderr(&output));
}

#[test]
fn credentials_for_one_host_are_not_sent_to_the_url_of_another() {
    let workspace = with_robot();
    let url = format!("{}{}", workspace.url().trim_end_matches('/'), workspace.http_path());
    let robot = [
        ("DATABRICKS_CLIENT_ID", "robot"),
        ("DATABRICKS_CLIENT_SECRET", "robot-canary"),
    ];
    let run = |environment: &[(&str, &str)]| {
        let mut command = dbsql(&[&QUERY[..], &QUIET, &["--url", &url]].concat());
        command.envs(environment.iter().copied()).output().unwrap()
    };
    for credentials in [&robot[..], &[("DATABRICKS_TOKEN", "robot-canary")]] {
        let output = run(&[credentials, &[("DATABRICKS_HOST", "https://other.example")]].concat());
        support::assert_paragraph(
            &output,
            2,
            &["other.example", "DATABRICKS_HOST", "--token"],
            &["canary"],
        );
        assert!(workspace.requests().is_empty(), "nobody was asked");
    }
    for host in [&[][..], &[("DATABRICKS_HOST", workspace.url())]] {
        let output = run(&[&robot, host].concat());
        assert!(stdout(&output).contains("seven\n7\n"), "{}", stderr(&output));
    }
}

#[test]
fn a_profile() {
    let (workspace, home) = (with_robot(), tempfile::tempdir().unwrap());
    let text = format!(
        "[robot]\nhost = {}\nwarehouse_id = {}\nclient_id = robot\nclient_secret = robot-canary\n",
        workspace.url(),
        workspace.warehouse_id()
    );
    std::fs::write(home.path().join(".databrickscfg"), text).unwrap();
    let mut command = dbsql(&[&QUERY[..], &QUIET, &["--profile", "robot"]].concat());
    // What else the environment says is not meant.
    command.env("HOME", home.path()).env("DATABRICKS_TOKEN", "dapi-wrong");
    let output = command.output().unwrap();
    assert!(stdout(&output).contains("seven\n7\n"), "{}", stderr(&output));

    let mut command = dbsql(&[&QUERY[..], &QUIET, &["--profile", "nobody"]].concat());
    let output = command.env("HOME", home.path()).output().unwrap();
    support::assert_paragraph(&output, 2, &["no profile 'nobody'", ".databrickscfg"], &["canary"]);
}

#[cfg(unix)]
#[path = "../../../../conformance/tests/browser/mod.rs"]
#[expect(
    dead_code,
    reason = "this person only ever says yes, and finds the address without an error message"
)]
mod browser;

#[cfg(unix)]
#[test]
fn a_person_whose_browser_is_opened() {
    use std::os::unix::fs::PermissionsExt as _;

    let (workspace, home) = (with_robot(), tempfile::tempdir().unwrap());
    // Leaves the address where this test finds it, whole or not at all.
    let (script, address) = (home.path().join("browser"), home.path().join("address"));
    let text = format!(
        "#!/bin/sh\nprintf %s \"$1\" > '{0}.draft' && mv '{0}.draft' '{0}'\n",
        address.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();

    let url = format!("{}{}", workspace.url().trim_end_matches('/'), workspace.http_path());
    let person = [
        "--url",
        &url,
        "-O",
        "databricks.auth.type=oauth-u2m",
        "-O",
        "databricks.oauth.redirect_port=0",
    ];
    let run = || {
        let mut command = dbsql(&[&QUERY[..], &QUIET, &person].concat());
        command.env("HOME", home.path()).env("BROWSER", &script);
        command
    };
    let waiting = run().spawn().unwrap();
    support::wait_until("the browser", || address.exists());
    let page = std::fs::read_to_string(&address).unwrap();
    assert!(browser::follow(&page).contains("Signed in"));
    let output = waiting.wait_with_output().unwrap();
    assert!(stdout(&output).contains("seven\n7\n"), "{}", stderr(&output));
    // The address was shown to the browser and printed to nobody.
    assert!(!stderr(&output).contains("code_challenge"), "{}", stderr(&output));

    std::fs::remove_file(&address).unwrap();
    let output = run().output().unwrap();
    assert!(stdout(&output).contains("seven\n7\n"), "{}", stderr(&output));
    assert!(!address.exists(), "who is signed in is not asked again");
}
