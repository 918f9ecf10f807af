//! Tables for a person, as wide as the terminal or the file they go into.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};

/// Columns of a table where it goes into a file.
const WIDTH: u16 = 140;

/// An empty table with these columns.
pub fn with_header<const N: usize>(columns: [&str; N]) -> Table {
    let mut table = plain();
    table.set_header(columns);
    table
}

/// A table of names and values, without a header.
pub fn of_pairs<const N: usize>(pairs: [(&str, String); N]) -> Table {
    let mut table = plain();
    for (name, value) in pairs {
        table.add_row([name.to_owned(), value]);
    }
    table
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    if !table.is_tty() {
        table.set_width(WIDTH);
    }
    table
}
