//! Parts of tables.
//!
//! On a narrow screen the cells of a table of the class `stack` stand below each other, which takes
//! from browsers that it is a table: its roles say so all the same.

use maud::{Markup, html};

/// The names of columns.
pub(super) fn columns<'c>(names: impl IntoIterator<Item = &'c str>) -> Markup {
    html! { thead { tr { @for name in names { th scope="col" { (name) } } } } }
}

/// The names of columns of a table of the class `stack`.
pub(super) fn stack_columns<'c>(names: impl IntoIterator<Item = &'c str>) -> Markup {
    html! {
        thead role="rowgroup" {
            tr role="row" { @for name in names { th scope="col" role="columnheader" { (name) } } }
        }
    }
}

/// A cell of such a table, which says what it is where the names of columns are not seen.
pub(super) fn stack_cell(label: &str, content: &Markup) -> Markup {
    html! { td role="cell" data-label=(label) { (content) } }
}
