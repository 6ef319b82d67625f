//! A browser that follows an address, as a person would have it.
#![allow(unreachable_pub, missing_docs)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// The address in an error message.
pub fn address_in(message: &str) -> String {
    let from = message
        .find("http")
        .unwrap_or_else(|| panic!("no address in: {message}"));
    message[from..].split(' ').next().expect("a word").to_owned()
}

/// Visits the page, goes where it redirects to, and returns what is shown there.
pub fn follow(page: &str) -> String {
    let answer = get(page);
    let location = answer
        .lines()
        .find_map(|line| {
            line.split_once(": ")
                .filter(|(name, _)| name.eq_ignore_ascii_case("location"))
        })
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_else(|| panic!("no redirection: {answer}"));
    get(&location)
}

/// Goes back to the application as the provider sends someone who said no, past some who do not know the state.
pub fn refuse(page: &str) {
    let member = |name: &str| {
        let (_, rest) = page.split_once(&format!("{name}=")).expect("the member");
        rest.split('&').next().expect("a value").to_owned()
    };
    let back = member("redirect_uri").replace("%3A", ":").replace("%2F", "/");
    for stranger in ["/favicon.ico", "/?code=stolen&state=guessed", "/?error=access_denied"] {
        assert!(get(&format!("{back}{stranger}")).starts_with("HTTP/1.1 404"));
    }
    let shown = get(&format!("{back}/?error=access_denied&state={}", member("state")));
    assert!(shown.contains("Not signed in"), "{shown}");
}

fn get(url: &str) -> String {
    let rest = url.strip_prefix("http://").expect("a plain address");
    let (authority, path) = rest
        .split_once('/')
        .map_or((rest, ""), |(authority, path)| (authority, path));
    let mut stream = TcpStream::connect(authority).expect("somebody listens");
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n"
    )
    .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
