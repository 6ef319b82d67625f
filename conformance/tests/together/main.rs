//! What the workspace and the driver do together: each file is a sentence about it. What looks at the whole process is a program of
//! its own, beside this folder.

#[path = "../browser/mod.rs"]
mod browser;

mod a_failed_ingest_says_what_stands;
mod a_failing_telemetry_endpoint_is_tried_again;
mod a_fault_of_storage_never_costs_a_row;
mod a_slow_reader_holds_no_more_than_the_budget;
mod a_straggler_costs_neither_time_nor_rows;
mod an_open_breaker_drops_records_at_once;
mod each_ending_leaves_one_record;
mod every_event_has_exactly_its_fields;
mod every_execution_leaves_one_true_record;
mod everybody_can_sign_in;
mod files_go_to_volumes_and_back;
mod get_objects_lists_what_there_is;
mod json_and_arrow_results_are_the_same;
mod metadata_calls_answer_from_the_workspace;
mod more_records_than_memory_are_dropped_and_counted;
mod not_one_canary_reaches_telemetry;
mod partitions_are_read_elsewhere;
mod queries_do_not_notice_a_broken_telemetry_endpoint;
mod requests_go_through_the_proxy_that_is_named;
mod rows_are_put_into_tables_of_every_kind;
mod temporary_and_lasting_tables_of_one_name_are_told_apart;
mod the_c_interface_gives_the_same;
mod the_inbox_is_a_table;
mod the_local_workspace_serves_the_driver;
mod the_vendors_version_is_asked_for_once_and_when_wanted;
mod what_the_driver_returns_is_what_the_engine_computed;
