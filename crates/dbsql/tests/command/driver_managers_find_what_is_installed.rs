//! What `dbsql driver install` writes is what driver managers look for: by the driver's name, by a URI, by a connection profile.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::PathBuf;

use adbc_core::options::{AdbcVersion, OptionDatabase, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, LOAD_FLAG_DEFAULT, Statement as _};
use adbc_driver_manager::{ManagedDatabase, ManagedDriver};
use databricks_local::Workspace;

use crate::support::{self, Desk, library, stderr, stdout, workspace};

fn rows(database: &ManagedDatabase) -> usize {
    let mut connection = database.new_connection().expect("a connection");
    let mut statement = connection.new_statement().expect("a statement");
    statement
        .set_sql_query("SELECT * FROM samples.tpch.nation")
        .expect("a query");
    let reader = statement.execute().expect("rows");
    reader.map(|batch| batch.expect("a batch").num_rows()).sum()
}

fn by_uri(uri: &str, folder: PathBuf) -> ManagedDatabase {
    let opened = ManagedDatabase::from_uri(uri, None, AdbcVersion::V110, LOAD_FLAG_DEFAULT, Some(vec![folder]));
    opened.unwrap_or_else(|error| panic!("{}", error.message))
}

fn options(workspace: &Workspace) -> [(OptionDatabase, OptionValue); 1] {
    [(OptionDatabase::Uri, OptionValue::String(workspace.uri()))]
}

#[test]
fn by_name_by_uri_and_by_profile() {
    let (desk, workspace) = (Desk::new(), workspace(|builder| builder));
    desk.install(&[]);
    let folder = desk.manifests();
    let further = Some(vec![folder.clone()]);
    let mut driver = ManagedDriver::load_from_name("databricks", None, AdbcVersion::V110, LOAD_FLAG_DEFAULT, further)
        .unwrap_or_else(|error| panic!("{}", error.message));
    assert_eq!(
        rows(&driver.new_database_with_opts(options(&workspace)).expect("a database")),
        25
    );
    assert_eq!(rows(&by_uri(&workspace.uri(), folder)), 25);

    // A profile names the manifest by its path here, because this process' environment is every test's.
    let profile = desk.folder.path().join("local.toml");
    let text = format!(
        "profile_version = 1\ndriver = '{}'\n[Options]\nuri = '{}'\n",
        desk.manifests().join("databricks.toml").display(),
        workspace.uri()
    );
    fs::write(&profile, text).expect("written");
    let uri = format!("profile://{}", profile.display());
    assert_eq!(rows(&by_uri(&uri, desk.manifests())), 25);
}

#[test]
fn a_copy_outlives_the_build_and_goes_with_the_manifest() {
    let (desk, workspace) = (Desk::new(), workspace(|builder| builder));
    let built = desk.folder.path().join("libadbc_driver_databricks.so");
    fs::copy(library(), &built).expect("a build of one's own");
    let output = desk
        .dbsql(&[
            "driver",
            "install",
            "--copy",
            "--library",
            built.to_str().expect("a path"),
        ])
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", stderr(&output));
    fs::remove_file(&built).expect("cargo clean");
    assert_eq!(rows(&by_uri(&workspace.uri(), desk.manifests())), 25);

    let text = stdout(&desk.dbsql(&["driver", "status"]).output().expect("it runs"));
    assert!(
        text.contains("used: version") && text.contains("data/adbc-databricks"),
        "{text}"
    );
    let text = stdout(&desk.dbsql(&["driver", "uninstall"]).output().expect("it runs"));
    assert_eq!(text.matches("removed ").count(), 2, "{text}");
    let text = stdout(&desk.dbsql(&["driver", "status"]).output().expect("it runs"));
    assert!(text.contains("None is found"), "{text}");
}

#[test]
fn the_manifest_of_another_driver_stays() {
    let desk = Desk::new();
    let path = desk.manifests().join("databricks.toml");
    fs::create_dir_all(desk.manifests()).expect("a folder");
    let theirs = "manifest_version = 1\nname = 'Theirs'\n\n[Driver]\nshared = '/opt/theirs.so'\n";
    fs::write(&path, theirs).expect("written");
    let output = desk.dbsql(&["driver", "uninstall"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("another driver (/opt/theirs.so)"), "{text}");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), theirs);
}

#[test]
fn each_place_that_managers_search() {
    let (desk, workspace) = (Desk::new(), workspace(|builder| builder));
    desk.install(&[]);
    let manifest = desk.manifests().join("databricks.toml");
    let elsewhere = desk.folder.path().join("venv/etc/adbc/drivers");
    fs::create_dir_all(&elsewhere).expect("a folder");
    fs::rename(&manifest, elsewhere.join("databricks.toml")).expect("moved");
    for (name, value) in [
        ("ADBC_DRIVER_PATH", elsewhere.clone()),
        ("VIRTUAL_ENV", desk.folder.path().join("venv")),
        ("CONDA_PREFIX", desk.folder.path().join("venv")),
    ] {
        let mut command = desk.dbsql(&["doctor", "--json", "--url", &workspace.uri()]);
        let text = stdout(&command.env(name, value).output().expect("it runs"));
        let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let verdict = |step: &str| {
            let mut checks = document["checks"].as_array().expect("checks").iter();
            let check = checks.find(|check| check["check"] == step).expect("the step");
            check["verdict"].clone()
        };
        assert_eq!(
            (verdict("library"), verdict("by library")),
            ("ok".into(), "ok".into()),
            "{name}: {text}"
        );
    }
}

#[test]
fn what_cannot_be_installed_is_named() {
    let desk = Desk::new();
    let output = desk
        .dbsql(&["driver", "install", "--library", "/nowhere.so"])
        .output()
        .expect("it runs");
    support::assert_paragraph(&output, 2, &["/nowhere.so"], &[]);
    let output = desk
        .dbsql(&["driver", "install", "--library", "/"])
        .output()
        .expect("it runs");
    support::assert_paragraph(&output, 2, &["not a file"], &[]);

    let text = desk.folder.path().join("text.so");
    fs::write(&text, "not a library").expect("written");
    let mut command = desk.dbsql(&["driver", "install", "--library", text.to_str().expect("a path")]);
    support::assert_paragraph(
        &command.output().expect("it runs"),
        2,
        &["text.so", "no ADBC driver"],
        &[],
    );
    assert!(!desk.manifests().join("databricks.toml").exists());
}
