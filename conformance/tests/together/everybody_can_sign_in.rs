//! Every way to authenticate, from the options to rows, against the workspace's own identity provider.

use std::fs;
use std::path::Path;
use std::thread;

use adbc_core::error::{Error, Status};
use adbc_core::sync::{Connection as _, Database as _, Driver as _, Statement as _};
use adbc_databricks::{Connection, Database, Driver};
use arrow::array::{AsArray as _, Int32Array};
use base64::Engine as _;
use databricks_local::{Fault, Workspace};

use crate::browser;

fn workspace() -> Workspace {
    let builder = Workspace::builder()
        .scale_factor(0.01)
        .oauth_client("robot", "robot-canary");
    builder.start().expect("a workspace")
}

fn database(workspace: &Workspace, options: &[(&str, &str)]) -> Database {
    let mut all = vec![
        ("databricks.host".into(), workspace.url().into()),
        ("databricks.warehouse_id".into(), workspace.warehouse_id().into()),
        ("enableTelemetry".into(), "false".into()),
    ];
    all.extend(options.iter().map(|(key, value)| ((*key).into(), (*value).into())));
    Driver.new_database_with_opts(all).expect("options that go together")
}

fn seven(connection: &mut Connection) -> Result<i32, Error> {
    let mut statement = connection.new_statement()?;
    statement.set_sql_query("SELECT 7")?;
    let batch = statement.execute()?.next().expect("a batch")?;
    let column: &Int32Array = batch.column(0).as_primitive();
    Ok(column.value(0))
}

fn jwt(expires: i64) -> String {
    let part = |text: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"iss":"https://elsewhere.example","sub":"me","exp":{expires}}}"#);
    format!(
        "{}.{}.{}",
        part(r#"{"alg":"none"}"#.to_owned()),
        part(claims),
        part("signature".to_owned())
    )
}

#[test]
fn a_service_principal() {
    let workspace = workspace();
    let options = [
        ("databricks.oauth.client_id", "robot"),
        ("databricks.oauth.client_secret", "robot-canary"),
    ];
    let mut connection = database(&workspace, &options).new_connection().unwrap();
    assert_eq!(seven(&mut connection).unwrap(), 7);

    let wrong = [
        ("databricks.oauth.client_id", "robot"),
        ("databricks.oauth.client_secret", "other-canary"),
    ];
    let error = database(&workspace, &wrong).new_connection().map(drop).unwrap_err();
    assert_eq!(error.status, Status::Unauthenticated);
    assert!(!error.message.contains("canary"), "{}", error.message);
}

#[test]
fn the_holder_of_another_providers_token() {
    let workspace = workspace();
    let token = jwt(4_000_000_000);
    let mut connection = database(&workspace, &[("databricks.oauth.subject_token", &token)])
        .new_connection()
        .unwrap();
    assert_eq!(seven(&mut connection).unwrap(), 7);

    let late = jwt(1_000_000_000);
    let error = database(&workspace, &[("databricks.oauth.subject_token", &late)])
        .new_connection()
        .map(drop)
        .unwrap_err();
    assert_eq!(error.status, Status::Unauthenticated);
    assert!(!error.message.contains(&late), "{}", error.message);
}

fn person(cache: &Path) -> Vec<(&str, &str)> {
    vec![
        ("databricks.auth.type", "oauth-u2m"),
        ("databricks.oauth.open_browser", "false"),
        ("databricks.oauth.redirect_port", "0"),
        (
            "databricks.oauth.token_cache_dir",
            cache.to_str().expect("a path in UTF-8"),
        ),
    ]
}

#[test]
fn a_person_with_a_browser_once_and_not_again() {
    let (workspace, cache) = (workspace(), tempfile::tempdir().unwrap());
    let first = database(&workspace, &person(cache.path()));
    let error = first.new_connection().map(drop).unwrap_err();
    assert_eq!(error.status, Status::Unauthenticated);
    let page = browser::address_in(&error.message);
    assert!(page.contains("code_challenge_method=S256"), "{page}");

    // Connecting again waits for the person.
    let waiting = thread::spawn(move || seven(&mut first.new_connection()?));
    assert!(browser::follow(&page).contains("Signed in"));
    assert_eq!(waiting.join().unwrap().unwrap(), 7);

    // What is kept is the owner's alone, and serves the next process without a browser.
    let files: Vec<_> = fs::read_dir(cache.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let text = fs::read_to_string(&files[0]).unwrap();
    assert!(text.contains("access_token") && text.contains("refresh_token") && !text.contains("secret"));
    assert_eq!(
        seven(&mut database(&workspace, &person(cache.path())).new_connection().unwrap()).unwrap(),
        7
    );

    // A revoked access token is replaced with the refresh token, still without a browser.
    let broken = text.replacen("\"access_token\":\"", "\"access_token\":\"revoked", 1);
    fs::write(&files[0], broken).unwrap();
    assert_eq!(
        seven(&mut database(&workspace, &person(cache.path())).new_connection().unwrap()).unwrap(),
        7
    );
    assert!(!fs::read_to_string(&files[0]).unwrap().contains("revoked"));
}

#[test]
fn a_cache_that_others_can_read_is_not_used() {
    let (workspace, cache) = (workspace(), tempfile::tempdir().unwrap());
    let first = database(&workspace, &person(cache.path()));
    let page = browser::address_in(&first.new_connection().map(drop).unwrap_err().message);
    browser::follow(&page);
    seven(&mut first.new_connection().unwrap()).unwrap();
    let file = fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap().path();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let error = database(&workspace, &person(cache.path()))
            .new_connection()
            .map(drop)
            .unwrap_err();
        assert!(error.message.contains("visit"), "{}", error.message);
    }
}

#[test]
fn a_person_who_refuses_or_does_not_come_is_an_error_and_can_be_asked_again() {
    let (workspace, cache) = (workspace(), tempfile::tempdir().unwrap());
    let asked = database(&workspace, &person(cache.path()));
    let page = browser::address_in(&asked.new_connection().map(drop).unwrap_err().message);
    browser::refuse(&page);
    let error = asked.new_connection().map(drop).unwrap_err();
    assert_eq!(error.status, Status::Unauthenticated);
    assert!(error.message.contains("access_denied"), "{}", error.message);

    let mut options = person(cache.path());
    options.push(("databricks.oauth.sign_in_timeout_s", "0.05"));
    let hurried = database(&workspace, &options);
    let first = browser::address_in(&hurried.new_connection().map(drop).unwrap_err().message);
    let second = browser::address_in(&hurried.new_connection().map(drop).unwrap_err().message);
    assert_ne!(first, second, "a sign-in that is over is not offered again");

    // Neither attempt left a port open or a file behind.
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
}

#[test]
fn telemetry_never_asks_a_person_and_a_dead_provider_is_an_error() {
    let (workspace, cache) = (workspace(), tempfile::tempdir().unwrap());
    workspace.fault(Fault::Status {
        path_prefix: "/oidc/".to_owned(),
        status: 500,
        retry_after: None,
        times: 100,
    });
    let mut options = person(cache.path());
    options.extend([
        ("enableTelemetry", "true"),
        ("databricks.retry.min_wait_ms", "1"),
        ("databricks.retry.max_wait_ms", "2"),
    ]);
    let error = database(&workspace, &options).new_connection().map(drop).unwrap_err();
    assert_eq!(error.status, Status::IO);
    assert!(error.message.contains("500"), "{}", error.message);
}
