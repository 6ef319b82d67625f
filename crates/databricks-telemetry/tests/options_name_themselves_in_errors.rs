//! Every option can be set and read back, has the default that its table says, and names itself when its value makes no
//! sense.

use std::time::Duration;

use databricks_telemetry::Config;
use databricks_telemetry::config::{OPTIONS, OptionSpec};

#[test]
fn defaults_are_those_of_the_table() {
    let config = Config::default();
    for option in OPTIONS {
        assert_eq!(
            config.get(option.key).unwrap_or_default(),
            option.default,
            "{}",
            option.key
        );
    }
    assert_eq!(
        (config.batch_size, config.max_retries, config.circuit_breaker_threshold),
        (100, 3, 5)
    );
    assert_eq!(
        (config.flush_interval, config.retry_delay),
        (Duration::from_secs(5), Duration::from_millis(100))
    );
    assert_eq!(
        (config.circuit_breaker_timeout, config.close_timeout),
        (Duration::from_secs(60), Duration::from_secs(5))
    );
}

#[test]
fn a_value_that_is_set_is_read_back() {
    let values = [
        "true",
        "true",
        "250",
        "1000",
        "5",
        "50",
        "false",
        "9",
        "30000",
        "1500",
        "/tmp/audit",
        "report",
    ];
    assert_eq!(values.len(), OPTIONS.len());
    let mut config = Config::default();
    for (option, value) in OPTIONS.iter().zip(values) {
        assert_ne!(option.default, value);
        assert_eq!(config.set(option.key, value), Ok(true), "{}", option.key);
        for key in option.aliases.iter().chain([&option.key]) {
            assert_eq!(config.get(key).as_deref(), Some(value), "{key}");
        }
    }
}

#[test]
fn the_other_drivers_names_work() {
    let mut config = Config::default();
    assert_eq!(config.set("enableTelemetry", "0"), Ok(true));
    assert_eq!(config.set("forceEnableTelemetry", "ON"), Ok(true));
    assert_eq!((config.enabled, config.force_enabled), (Some(false), true));
}

#[test]
fn an_option_of_somebody_else_is_left_alone() {
    let mut config = Config::default();
    assert_eq!(config.set("adbc.databricks.telemetry.no_such_option", "1"), Ok(false));
    assert_eq!(config, Config::default());
    assert_eq!(config.get("uri"), None);
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let nonsense = ["", "maybe", "-1", "1.5", "99999999999999999999", "secret"];
    for option in OPTIONS
        .iter()
        .filter(|option| !option.takes.starts_with("the path") && option.takes != "a name")
    {
        for value in nonsense {
            let mut config = Config::default();
            let error = config.set(option.key, value).unwrap_err();
            assert_eq!(error.key(), option.key);
            assert_eq!(
                error.to_string(),
                format!("option {} takes {}", option.key, option.takes)
            );
            assert_eq!(config, Config::default(), "nothing changed");
        }
    }
}

#[test]
fn limits_are_those_of_the_table() {
    for option in OPTIONS {
        let Some(limits) = option.takes.strip_prefix("an integer from ") else {
            continue;
        };
        let (least, most) = limits.split_once(" to ").unwrap();
        let (least, most): (u64, u64) = (least.parse().unwrap(), most.parse().unwrap());
        let takes = |value: u64| Config::default().set(option.key, &value.to_string()).is_ok();
        assert!(takes(least) && takes(most) && !takes(most + 1), "{}", option.key);
        assert!(least == 0 || !takes(least - 1), "{}", option.key);
    }
}

#[test]
fn keys_are_one_of_a_kind() {
    for option in OPTIONS {
        for key in option.aliases.iter().chain([&option.key]) {
            assert!(std::ptr::eq(OptionSpec::find(key).unwrap(), option), "{key}");
        }
    }
}
