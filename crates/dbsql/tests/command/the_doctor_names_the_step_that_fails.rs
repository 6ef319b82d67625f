//! `dbsql doctor` finds each fault at the step where it is, says what to do, and shows no secret while it does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use databricks_local::Workspace;
use serde_json::Value;

use crate::support::{Desk, stderr, stdout, wait_until, workspace};

const STEPS: [&str; 17] = [
    "library",
    "entry point",
    "configuration",
    "proxy",
    "name",
    "port",
    "TLS",
    "HTTP",
    "credentials",
    "warehouse",
    "session",
    "statement",
    "storage",
    "cancel",
    "by library",
    "telemetry",
    "traces",
];

/// What the doctor said, as a machine reads it.
struct Diagnosed {
    output: Output,
    checks: Vec<Value>,
}

impl Diagnosed {
    fn by(command: &mut Command) -> Self {
        let output = command.arg("--json").output().expect("the command runs");
        let text = stdout(&output);
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", stderr(&output)));
        let checks = document["checks"].as_array().expect("checks").clone();
        assert_eq!(document["ok"], output.status.success(), "{text}");
        assert!(
            !text.contains("canary") && !stderr(&output).contains("canary"),
            "{text}"
        );
        Self { output, checks }
    }

    fn check(&self, name: &str) -> &Value {
        let found = self.checks.iter().find(|check| check["check"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {:?}", self.checks))
    }

    fn says(&self, name: &str, verdict: &str, words: &[&str]) {
        let check = self.check(name);
        assert_eq!(check["verdict"], verdict, "{check:#}");
        let text = format!("{} {}", check["fact"], check["advice"]);
        for word in words {
            assert!(text.contains(word), "{word:?} is missing: {check:#}");
        }
        assert_eq!(
            check["advice"].is_string(),
            matches!(verdict, "failed" | "warning"),
            "{check:#}"
        );
    }

    /// Asserts that exactly this step failed, that it says these words, and that the steps that need it were not tried.
    fn failed_at(&self, name: &str, words: &[&str], not_tried: &[&str]) {
        assert_eq!(self.output.status.code(), Some(1), "{:?}", self.checks);
        self.says(name, "failed", words);
        for check in self.checks.iter().filter(|check| check["check"] != name) {
            assert_ne!(check["verdict"], "failed", "{check:#}");
        }
        for step in not_tried {
            self.says(step, "not_tried", &[]);
        }
    }
}

fn doctor(desk: &Desk, url: &str, further: &[&str]) -> Diagnosed {
    let mut args = vec!["doctor", "--url", url];
    args.extend(further);
    Diagnosed::by(&mut desk.dbsql(&args))
}

fn over_tls(workspace: &Workspace) -> String {
    let url = workspace
        .https_url()
        .expect("https")
        .replace("https://", "https://token:canary@");
    format!("{url}{}", workspace.http_path())
}

#[test]
fn a_healthy_machine_passes_every_step() {
    let desk = Desk::new();
    desk.install(&["--copy"]);
    let seen = Diagnosed::by(&mut desk.dbsql(&["doctor"]));
    let names: Vec<_> = seen
        .checks
        .iter()
        .map(|check| check["check"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, STEPS);
    for name in STEPS {
        seen.says(name, "ok", &[]);
    }
    seen.says(
        "library",
        "ok",
        &["data/adbc-databricks", "config/adbc/drivers/databricks.toml"],
    );
    seen.says("TLS", "ok", &["TLS 1.3", "databricks-local authority"]);
    seen.says("by library", "ok", &[env!("CARGO_PKG_VERSION")]);
    assert_eq!(seen.output.status.code(), Some(0));
}

#[test]
fn a_wrong_token_fails_where_it_is_first_shown() {
    let workspace = workspace(|builder| builder.token("right"));
    let url = workspace.uri().replace("right", "canary");
    let seen = doctor(&Desk::new(), &url, &[]);
    seen.failed_at(
        "warehouse",
        &["401", "check the token"],
        &["session", "statement", "storage", "telemetry"],
    );
    seen.says("HTTP", "ok", &["clocks agree"]);
}

#[test]
fn a_server_that_is_down_and_a_host_that_is_none() {
    let workspace = workspace(|builder| builder.token("canary"));
    let url = workspace.uri();
    workspace.stop();
    doctor(&Desk::new(), &url, &[]).failed_at("port", &["nobody listens"], &["TLS", "credentials"]);
    let url = "databricks://token:canary@nowhere.invalid/sql/1.0/warehouses/x";
    doctor(&Desk::new(), url, &[]).failed_at("name", &["nowhere.invalid", "DNS"], &["port", "TLS"]);
}

#[test]
fn an_unknown_authority_until_it_is_named() {
    let workspace = workspace(|builder| builder.token("canary").tls(true));
    let (desk, url) = (Desk::new(), over_tls(&workspace));
    let words = [
        "nobody who is trusted",
        "databricks-local authority",
        "databricks.tls.ca_file",
    ];
    doctor(&desk, &url, &[]).failed_at("TLS", &words, &["HTTP", "credentials"]);
    // To look at the certificate is all that was done with the server that is not trusted.
    assert!(workspace.requests().is_empty(), "{:?}", workspace.requests());

    let authority = workspace.ca_pem_path().expect("a file");
    let option = format!("databricks.tls.ca_file={}", authority.display());
    let seen = doctor(&desk, &url, &["-O", &option]);
    seen.says("TLS", "ok", &["TLS 1.3"]);
    assert!(seen.output.status.success());
    let seen = doctor(&desk, &url, &["-O", "databricks.tls.allow_self_signed=true"]);
    seen.says("TLS", "warning", &["databricks.tls.allow_self_signed"]);

    let plain = workspace.uri().replace("databricks://", "https://");
    doctor(&desk, &plain, &[]).failed_at("TLS", &["does not speak TLS", "http://"], &["HTTP"]);
}

#[test]
fn a_storage_that_a_firewall_blocks() {
    let workspace = workspace(|builder| builder.token("canary"));
    workspace.fault("GET /results/=status:403*1000".parse().expect("a fault"));
    let seen = doctor(&Desk::new(), &workspace.uri(), &[]);
    seen.failed_at("storage", &["403", "firewall"], &[]);
    for step in ["statement", "cancel", "telemetry"] {
        seen.says(step, "ok", &[]);
    }
}

#[test]
fn a_cancel_reaches_the_workspace() {
    let workspace = workspace(|builder| builder.token("canary"));
    let seen = doctor(&Desk::new(), &workspace.uri(), &[]);
    seen.says("cancel", "ok", &["stopped"]);
    let requests = workspace.requests();
    assert!(
        requests.iter().any(|request| request.path.ends_with("/cancel")),
        "{requests:?}"
    );

    for method in ["POST", "DELETE"] {
        let fault = format!("{method} /api/2.0/sql/statements/=status:400*1000");
        workspace.fault(fault.parse().expect("a fault"));
    }
    doctor(&Desk::new(), &workspace.uri(), &[]).failed_at("cancel", &["still runs"], &[]);
}

#[test]
fn a_warehouse_that_is_none_and_one_that_sleeps() {
    let workspace = workspace(|builder| builder.token("canary"));
    stop(&workspace);
    let seen = doctor(&Desk::new(), &workspace.uri(), &[]);
    seen.says("warehouse", "warning", &["STOPPED", "starts it"]);
    seen.says("statement", "ok", &[]);

    let other = workspace.uri().replace(workspace.warehouse_id(), "beef");
    doctor(&Desk::new(), &other, &[]).failed_at("warehouse", &["does not exist", "HTTP path"], &["session"]);
}

/// Stops the warehouse, as its page in a workspace would.
fn stop(workspace: &Workspace) {
    let address = workspace.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("a connection");
    let path = format!("/api/2.0/sql/warehouses/{}/stop", workspace.warehouse_id());
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer canary\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[test]
fn telemetry_is_explained_by_its_rule() {
    let flag = "databricks.partnerplatform.clientConfigsFeatureFlags.enableTelemetryForAdbc";
    let workspace = workspace(|builder| builder.token("canary").flag(flag, "false"));
    let seen = doctor(&Desk::new(), &workspace.uri(), &[]);
    seen.says("telemetry", "ok", &["OFF", "feature flag", "feature-flags"]);
    let seen = doctor(&Desk::new(), &workspace.uri(), &["-O", "enableTelemetry=false"]);
    seen.says(
        "telemetry",
        "ok",
        &["OFF", "the option enabled is false", "nobody was asked"],
    );
}

#[test]
fn a_library_that_is_not_there_or_not_one() {
    let (desk, workspace) = (Desk::new(), workspace(|builder| builder.token("canary")));
    let url = workspace.uri();
    // Beside the program, which cargo puts there when somebody builds both, it is found but not installed.
    let seen = doctor(&desk, &url, &[]);
    seen.says("library", "warning", &["dbsql driver install"]);
    assert!(
        seen.output.status.success(),
        "the driver in this program works without it"
    );

    let text = desk.folder.path().join("text.so");
    std::fs::write(&text, "not a library").expect("written");
    let seen = doctor(&desk, &url, &["--library", text.to_str().expect("a path")]);
    seen.failed_at("entry point", &["no ADBC driver"], &["by library"]);
    doctor(&desk, &url, &["--library", "/nowhere.so"]).failed_at("library", &["/nowhere.so"], &["entry point"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_broken_manifest_and_one_that_stands_in_front() {
    let (desk, workspace) = (Desk::new(), workspace(|builder| builder.token("canary")));
    desk.install(&[]);
    let seen = doctor(&desk, &workspace.uri(), &[]);
    seen.says("by library", "ok", &[]);

    let in_front = desk.folder.path().join("front");
    std::fs::create_dir(&in_front).expect("a folder");
    std::fs::write(in_front.join("databricks.toml"), "[Driver]\nshared = '/nowhere.so'\n").expect("written");
    let mut command = desk.dbsql(&["doctor", "--url", &workspace.uri()]);
    let seen = Diagnosed::by(command.env("ADBC_DRIVER_PATH", &in_front));
    seen.says("library", "warning", &["front/databricks.toml", "/nowhere.so"]);
    seen.says("by library", "ok", &[]);

    std::fs::write(desk.manifests().join("databricks.toml"), "[Driver\n").expect("written");
    let seen = doctor(&desk, &workspace.uri(), &[]);
    seen.failed_at(
        "library",
        &["broken manifest", "line 1", "dbsql driver install"],
        &["entry point", "by library"],
    );
    seen.says("statement", "ok", &[]);
}

#[test]
fn a_proxy_is_named_without_its_password() {
    let url = "databricks://token:canary@nowhere.invalid/sql/1.0/warehouses/x";
    let desk = Desk::new();
    let mut command = desk.dbsql(&["doctor", "--url", url]);
    let seen = Diagnosed::by(command.env("HTTPS_PROXY", "http://me:canary@127.0.0.1:1"));
    seen.says("proxy", "ok", &["http://127.0.0.1:1", "HTTPS_PROXY"]);
    seen.failed_at("port", &["127.0.0.1:1", "proxy"], &["TLS"]);
    let mut command = desk.dbsql(&["doctor", "--url", url]);
    command
        .env("HTTPS_PROXY", "http://me:canary@127.0.0.1:1")
        .env("NO_PROXY", ".invalid");
    let seen = Diagnosed::by(&mut command);
    seen.says("proxy", "ok", &["none for this host", "NO_PROXY"]);
}

#[test]
fn the_environment_is_named_as_the_place() {
    let workspace = workspace(|builder| builder.token("canary"));
    let desk = Desk::new();
    let mut command = desk.dbsql(&["doctor"]);
    command.envs([
        ("DATABRICKS_HOST", workspace.url()),
        ("DATABRICKS_TOKEN", "canary"),
        ("DATABRICKS_HTTP_PATH", &workspace.http_path()),
    ]);
    let seen = Diagnosed::by(&mut command);
    seen.says(
        "configuration",
        "ok",
        &["variable DATABRICKS_HOST", "variable DATABRICKS_TOKEN"],
    );
}

#[test]
fn the_time_is_over_and_somebody_loses_patience() {
    let workspace = workspace(|builder| builder.token("canary"));
    workspace.fault("GET /api/2.0/sql/warehouses=hang*1000".parse().expect("a fault"));
    let seen = doctor(&Desk::new(), &workspace.uri(), &["--timeout", "2"]);
    assert_eq!(seen.output.status.code(), Some(1));
    seen.says("warehouse", "failed", &["no answer", "--timeout"]);

    #[cfg(unix)]
    {
        let before = workspace.requests().len();
        let mut patient = Desk::new().dbsql(&["doctor", "--url", &workspace.uri()]);
        let patient = patient.spawn().expect("it runs");
        wait_until("a request", || workspace.requests().len() > before);
        let status = Command::new("kill")
            .args(["-INT", &patient.id().to_string()])
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("kill").success());
        assert_eq!(patient.wait_with_output().expect("it ends").status.code(), Some(130));
    }
}

#[test]
fn people_read_lines() {
    let workspace = workspace(|builder| builder.token("right"));
    let url = workspace.uri().replace("right", "canary");
    let output = Desk::new().dbsql(&["doctor", "--url", &url]).output().expect("it runs");
    let text = stdout(&output);
    assert!(text.contains("\n  failed     warehouse "), "{text}");
    assert!(text.contains("\n  not tried  session, statement, storage, "), "{text}");
    assert!(text.contains("1 failed"), "{text}");
    assert!(!text.contains("canary") && !text.contains('\u{1b}'), "{text}");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(1), ""));
}
