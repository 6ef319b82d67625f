//! Notes the version of the compiler, whose runtime the driver brings along.

#![allow(clippy::print_stdout, reason = "this is how a build script speaks")]

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(compiler).arg("--version").output();
    // `rustc 1.95.0 (59807616e 2026-04-14)`
    let said = said
        .ok()
        .and_then(|said| String::from_utf8(said.stdout).ok())
        .unwrap_or_default();
    let version = said.split(' ').nth(1).unwrap_or_default();
    println!("cargo::rustc-env=RUSTC_VERSION={version}");
}
