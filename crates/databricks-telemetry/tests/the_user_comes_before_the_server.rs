//! All combinations of what user, environment and server can say, against the order written down a second time.

use databricks_telemetry::enable::{Environment, Flag, Inputs, Verdict, decide};

const MAYBE: [Option<bool>; 3] = [None, Some(false), Some(true)];

fn combinations() -> impl Iterator<Item = Inputs> {
    let bools = [false, true];
    bools.into_iter().flat_map(move |do_not_track| {
        bools.into_iter().flat_map(move |disabled| {
            MAYBE.into_iter().flat_map(move |enabled| {
                bools.into_iter().flat_map(move |force| {
                    MAYBE.into_iter().flat_map(move |option| {
                        Flag::ALL.into_iter().map(move |flag| Inputs {
                            environment: Environment {
                                do_not_track,
                                disabled,
                                enabled,
                            },
                            force,
                            option,
                            flag,
                        })
                    })
                })
            })
        })
    })
}

/// The table, row by row: the first row that fits decides. `None` fits everything.
type Row = (fn(&Inputs) -> bool, Verdict);
const TABLE: [Row; 8] = [
    (
        |inputs| inputs.environment.do_not_track || inputs.environment.disabled,
        Verdict::Off,
    ),
    (|inputs| inputs.force, Verdict::On),
    (|inputs| inputs.option == Some(false), Verdict::Off),
    (
        |inputs| inputs.option.is_none() && inputs.environment.enabled == Some(false),
        Verdict::Off,
    ),
    (|inputs| inputs.flag == Flag::On, Verdict::On),
    (|inputs| inputs.flag == Flag::Off, Verdict::Off),
    (|inputs| inputs.flag == Flag::Failed, Verdict::Off),
    (|_| true, Verdict::Pending),
];

#[test]
fn every_combination_is_decided_as_written() {
    let mut seen = 0;
    for inputs in combinations() {
        let expected = TABLE
            .iter()
            .find(|(fits, _)| fits(&inputs))
            .map(|(_, verdict)| *verdict);
        assert_eq!(Some(decide(inputs).verdict), expected, "{inputs:?}");
        seen += 1;
    }
    assert_eq!(seen, 2 * 2 * 3 * 2 * 3 * 4);
}

#[test]
fn the_server_never_turns_on_what_the_user_refused() {
    for inputs in combinations() {
        let refused = inputs.environment.do_not_track
            || inputs.environment.disabled
            || !inputs.force && inputs.option.or(inputs.environment.enabled) == Some(false);
        if refused {
            assert_eq!(decide(inputs).verdict, Verdict::Off, "{inputs:?}");
        }
    }
}

#[test]
fn only_the_flag_changes_what_is_up_to_the_flag() {
    for inputs in combinations() {
        let decision = decide(inputs);
        let depends = Flag::ALL
            .iter()
            .any(|flag| decide(Inputs { flag: *flag, ..inputs }).verdict != decision.verdict);
        assert_eq!(decision.is_up_to_the_flag(), depends, "{inputs:?}");
    }
}

#[test]
fn the_environment_is_read_as_people_write_it() {
    let read = |name: &'static str, value: &'static str| {
        Environment::read(move |asked| (asked == name).then(|| value.to_owned()))
    };
    for refusal in ["1", "true", "TRUE", "yes", "on", "please"] {
        assert!(read("DO_NOT_TRACK", refusal).do_not_track, "{refusal}");
        assert!(read("DATABRICKS_TELEMETRY_DISABLED", refusal).disabled, "{refusal}");
    }
    for nothing in ["", "0", "false", "no", "Off"] {
        assert!(!read("DO_NOT_TRACK", nothing).do_not_track, "{nothing}");
        assert!(!read("DATABRICKS_TELEMETRY_DISABLED", nothing).disabled, "{nothing}");
    }
    assert_eq!(read("DATABRICKS_TELEMETRY_ENABLED", "true").enabled, Some(true));
    assert_eq!(read("DATABRICKS_TELEMETRY_ENABLED", "0").enabled, Some(false));
    assert_eq!(read("DATABRICKS_TELEMETRY_ENABLED", "perhaps").enabled, None);
    assert_eq!(Environment::read(|_| None), Environment::default());
}
