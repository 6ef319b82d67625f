//! The engine without the wire: each file is a sentence about it.

#[path = "../engine_support/mod.rs"]
mod engine_support;

mod analyzed_columns_tell_their_statistics;
mod answers_are_those_that_databricks_documents;
mod errors_have_the_classes_of_a_workspace;
mod files_are_copied_into_tables_once;
mod files_of_a_directory_are_tables;
mod keys_are_told_and_not_enforced;
mod merges_change_all_that_matches_or_nothing;
mod names_are_found_in_any_case;
mod no_statement_ends_the_process;
mod parameters_are_typed_values;
mod results_have_the_types_of_a_workspace;
mod results_stream;
mod sessions_keep_their_place_and_their_confs;
mod show_statements_have_the_columns_that_drivers_look_for;
mod tables_are_created_changed_and_dropped;
mod temporary_tables_belong_to_their_session;
mod tpch_answers_agree_with_an_independent_computation;
