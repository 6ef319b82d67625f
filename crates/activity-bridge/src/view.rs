//! What may a listener show? One rule for all of them.

use activity::{Event, Level, Record, TagDef, Value};

/// What is shown of free text and of events, which may hold some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Text {
    /// Neither is shown, whoever else has them recorded.
    #[default]
    Hidden,
    /// Both are shown.
    Shown,
}

impl Text {
    pub(crate) fn shown(shown: bool) -> Text {
        if shown { Text::Shown } else { Text::Hidden }
    }

    /// What a listener must ask for to show this.
    pub(crate) fn level(self) -> Level {
        match self {
            Text::Hidden => Level::Metrics,
            Text::Shown => Level::Trace,
        }
    }

    /// The tags that may be shown.
    ///
    /// The level alone would not do: a source records as much as its most curious listener wants.
    pub(crate) fn tags<'a>(self, record: &'a Record<'_>) -> impl Iterator<Item = (&'static TagDef, Value<'a>)> {
        let visible = move |value: &Value<'_>| match value {
            Value::Closed(_) => true,
            Value::Text(_) => self == Text::Shown,
        };
        record.iter_local().filter(move |(_, value)| visible(value))
    }

    /// The events that may be shown.
    pub(crate) fn events<'a>(self, record: &'a Record<'_>) -> impl Iterator<Item = &'a Event> {
        record.events().filter(move |_| self == Text::Shown)
    }

    /// How many events gave way to those that are shown.
    pub(crate) fn dropped_events(self, record: &Record<'_>) -> u64 {
        match self {
            Text::Hidden => 0,
            Text::Shown => record.dropped_events(),
        }
    }
}
