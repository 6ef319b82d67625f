//! Whatever a server, storage or a caller sends: a value or an error, never a panic. The same functions as in `fuzz/`, over the
//! corpus there and over inputs made from it.

use std::fs;
use std::path::{Path, PathBuf};

use adbc_databricks::hostile::TARGETS;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let files = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Changes that keep most of an input, so that it gets past the first check.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Cut(Index),
    Repeat(Index, Index),
    Insert(Index, Vec<u8>),
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            1 => any::<Index>().prop_map(Self::Cut),
            1 => any::<(Index, Index)>().prop_map(|(from, to)| Self::Repeat(from, to)),
            1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 0..9)).prop_map(|(at, bytes)| Self::Insert(at, bytes)),
        ]
    }

    fn apply(&self, input: &mut Vec<u8>) {
        if input.is_empty() {
            return;
        }
        let length = input.len();
        match self {
            Self::Set(at, byte) => input[at.index(length)] = *byte,
            Self::Cut(at) => input.truncate(at.index(length)),
            Self::Repeat(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                let piece = input[from.min(to)..from.max(to)].to_vec();
                input.extend(piece);
            }
            Self::Insert(at, bytes) => {
                let at = at.index(length);
                input.splice(at..at, bytes.iter().copied());
            }
        }
    }
}

#[test]
fn inputs_of_the_corpus_are_what_their_names_say() {
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        assert!(
            inputs.iter().any(|input| target(input)),
            "{name}: nothing good in the corpus"
        );
        assert!(!target(b""), "{name}: nothing is something");
    }
}

#[test]
fn inputs_like_those_of_the_corpus_do_no_harm() {
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        let inputs = (0..inputs.len()).prop_map(move |which| inputs[which].clone());
        let changes = prop::collection::vec(Change::any(), 1..6);
        let config = Config {
            cases: 400,
            failure_persistence: None,
            ..Config::default()
        };
        let outcome = TestRunner::new(config).run(&(inputs, changes), |(mut input, changes)| {
            changes.iter().for_each(|change| change.apply(&mut input));
            target(&input);
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
