//! The planner's states, kept from one statement to the next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};

use crate::engine::ansi::DatabricksExprs;
use crate::engine::settings::Settings;
use crate::engine::types::DatabricksTypes;

/// Planner states by what they depend on. Building one costs milliseconds, because it registers every function anew.
#[derive(Default)]
pub(crate) struct States {
    recent: Mutex<VecDeque<(Key, SessionState)>>,
}

type Key = (String, String, Arc<str>, bool);

impl States {
    /// How many are kept: sessions of one client hardly ever differ in more ways.
    const KEPT: usize = 16;

    pub(super) fn for_settings(&self, template: &SessionState, settings: &Settings) -> SessionState {
        let key = (
            settings.catalog.clone(),
            settings.schema.clone(),
            Arc::clone(&settings.time_zone),
            settings.ansi,
        );
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, state)) = recent.iter().find(|(there, _)| *there == key) {
            return state.clone();
        }
        let mut config = template.config().clone();
        let options = config.options_mut();
        options.catalog.default_catalog.clone_from(&settings.catalog);
        options.catalog.default_schema.clone_from(&settings.schema);
        options.execution.time_zone = Some(settings.time_zone.to_string());
        options.execution.enable_ansi_mode = settings.ansi;
        let types = DatabricksTypes {
            time_zone: Arc::clone(&settings.time_zone),
        };
        let mut builder = SessionStateBuilder::new_from_existing(template.clone())
            .with_config(config)
            .with_type_planner(Arc::new(types));
        builder
            .expr_planners()
            .get_or_insert_default()
            .insert(0, Arc::new(DatabricksExprs { ansi: settings.ansi }));
        let mut state = builder.build();
        // The builder takes functions in any order, and of two that share a name the last one has it. `now` and the like are made for
        // a zone.
        let options = Arc::clone(state.config_options());
        for (name, function) in template.scalar_functions() {
            if name == function.name() {
                let of_zone = function.inner().with_updated_config(&options).map(Arc::new);
                let _ = state.register_udf(of_zone.unwrap_or_else(|| Arc::clone(function)));
            }
        }
        recent.truncate(Self::KEPT - 1);
        recent.push_front((key, state.clone()));
        state
    }
}
