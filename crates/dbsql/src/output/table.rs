//! The table that people read: the first rows, aligned, and a line that says how many there are in all.

use std::io::Write;
use std::ops::Range;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::modifiers::UTF8_ROUND_CORNERS;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table as Grid};

use super::Sink;
use crate::failure::Failure;

/// The longest text that a cell shows, in characters.
const CELL_CHARS: usize = 200;

/// Keeps the first rows as text and counts the rest.
pub(super) struct Table<W: Write> {
    out: W,
    show: usize,
    rows: u64,
    cells: Cells,
    has_columns: bool,
}

impl<W: Write> Table<W> {
    /// A table that shows the first `show` rows; 0 shows all.
    pub(super) fn new(out: W, schema: &SchemaRef, show: usize) -> Self {
        let columns = schema
            .fields()
            .iter()
            .map(|field| (field.name().clone(), field.data_type().is_numeric()));
        Self {
            out,
            show: if show == 0 { usize::MAX } else { show },
            rows: 0,
            has_columns: !schema.fields().is_empty(),
            cells: Cells::new(columns.collect()),
        }
    }
}

impl<W: Write> Sink for Table<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.rows += batch.num_rows() as u64;
        let wanted = batch.num_rows().min(self.show.saturating_sub(self.cells.rows.len()));
        if wanted == 0 {
            return Ok(());
        }
        let options = FormatOptions::default().with_null("NULL");
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<Result<Vec<_>, ArrowError>>()?;
        for row in 0..wanted {
            let cells = columns
                .iter()
                .map(|column| column.value(row).try_to_string().map(shorten));
            self.cells.rows.push(cells.collect::<Result<_, ArrowError>>()?);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        if !self.has_columns {
            return Ok(());
        }
        let shown = self.cells.rows.len() as u64;
        writeln!(self.out, "{}", print(&self.cells))?;
        if shown < self.rows {
            writeln!(
                self.out,
                "… the first {shown} of {} rows; --show 0 shows all",
                self.rows
            )?;
        }
        Ok(self.out.flush()?)
    }
}

/// Text in columns; a column of numbers is aligned to the right.
pub(crate) struct Cells {
    columns: Vec<(String, bool)>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Cells {
    /// Columns as (title, is it numbers).
    pub(crate) fn new(columns: Vec<(String, bool)>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// The longest text of each column, in characters.
    fn widths(&self) -> Vec<usize> {
        let longest = |column: usize| {
            self.rows
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let titles = self.columns.iter().map(|(title, _)| title.chars().count());
        titles
            .enumerate()
            .map(|(column, title)| title.max(longest(column)))
            .collect()
    }
}

/// The cells as a bordered table. On a terminal that is too narrow for all columns, those in the middle are left out.
pub(crate) fn print(cells: &Cells) -> Grid {
    let mut grid = Grid::new();
    grid.load_preset(UTF8_FULL_CONDENSED).apply_modifier(UTF8_ROUND_CORNERS);
    grid.set_content_arrangement(ContentArrangement::Disabled);
    let terminal_width = grid.width().map(usize::from).filter(|width| *width > 0);
    let shown = fitting(&cells.widths(), terminal_width.unwrap_or(usize::MAX));

    let pick = |cell: &dyn Fn(usize) -> Cell| -> Vec<Cell> {
        let left = shown.left.clone().map(cell);
        let gap = (!shown.hidden.is_empty()).then(|| Cell::new("…"));
        left.chain(gap).chain(shown.right.clone().map(cell)).collect()
    };
    grid.set_header(pick(&|column| Cell::new(&cells.columns[column].0)));
    for row in &cells.rows {
        grid.add_row(pick(&|column| {
            let alignment = if cells.columns[column].1 {
                CellAlignment::Right
            } else {
                CellAlignment::Left
            };
            Cell::new(&row[column]).set_alignment(alignment)
        }));
    }
    grid
}

/// Which columns of a table are shown.
struct Shown {
    left: Range<usize>,
    hidden: Range<usize>,
    right: Range<usize>,
}

/// As many columns as fit, from both ends by turns; at least one.
fn fitting(widths: &[usize], available: usize) -> Shown {
    // Each cell has a blank on both sides and a border before it; the last has one behind it.
    let cost = |column: usize| widths[column] + 3;
    let all = 0..widths.len();
    if all.clone().map(cost).sum::<usize>() < available {
        return Shown {
            left: all,
            hidden: 0..0,
            right: 0..0,
        };
    }
    let gap = 4;
    let (mut left, mut right) = (1, widths.len());
    let mut used = 1 + gap + widths.first().map_or(0, |_| cost(0));
    loop {
        let from_left = left <= widths.len() - right;
        let next = if from_left { left } else { right - 1 };
        if left >= right || used + cost(next) > available {
            return Shown {
                left: 0..left,
                hidden: left..right,
                right: right..widths.len(),
            };
        }
        used += cost(next);
        if from_left { left += 1 } else { right -= 1 }
    }
}

fn shorten(text: String) -> String {
    match text.char_indices().nth(CELL_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn columns_in_the_middle_give_way() {
        let shown = |widths: &[usize], available| {
            let shown = fitting(widths, available);
            (shown.left, shown.hidden, shown.right)
        };
        assert_eq!(shown(&[10, 10], 80), (0..2, 0..0, 0..0));
        assert_eq!(shown(&[10; 10], 60), (0..2, 2..8, 8..10));
        assert_eq!(shown(&[100, 100], 20), (0..1, 1..2, 2..2));
        assert_eq!(shown(&[], 20), (0..0, 0..0, 0..0));
        assert_eq!(shown(&[50], 20), (0..1, 1..1, 1..1));
    }
}
