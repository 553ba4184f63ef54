//! Tables for people.

use std::fmt::Write as _;

/// Lines of a table: the head and each row, columns two spaces apart. The last column is as wide as
/// it is; numbers stand to the right.
pub fn lines<const N: usize>(head: [(&str, bool); N], rows: &[[String; N]]) -> Vec<String> {
    let titles = head.map(|(title, _)| title.to_owned());
    let all = || std::iter::once(&titles).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    all()
        .map(|row| {
            let mut line = String::new();
            for ((cell, width), (_, number)) in row.iter().zip(widths).zip(head) {
                let width = width + usize::from(!line.is_empty()) * 2;
                // Writing to a String does not fail.
                let _ = match number {
                    true => write!(line, "{cell:>width$}"),
                    false if line.is_empty() => write!(line, "{cell:<width$}"),
                    false => write!(line, "  {cell:<0$}", width - 2),
                };
            }
            line.truncate(line.trim_end().len());
            line
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["é".into(), "1".into(), "x".into()], ["bc".into(), "1,000".into(), String::new()]];
        assert_eq!(
            lines([("a", false), ("n", true), ("last", false)], &rows),
            ["a       n  last", "é       1  x", "bc  1,000"]
        );
    }
}
