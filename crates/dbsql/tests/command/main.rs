//! The command as a person runs it: each file is a sentence about it.

#[path = "../support/mod.rs"]
mod support;

mod a_failed_run_says_why_in_one_paragraph;
mod a_trace_shows_the_tree_and_no_sql;
mod driver_managers_find_what_is_installed;
mod explain_shows_what_would_be_sent;
mod following_telemetry_shows_each_record_once;
mod results_come_in_every_format;
mod the_doctor_names_the_step_that_fails;
mod the_environment_and_profiles_say_where;
mod the_telemetry_of_a_run_is_shown;
