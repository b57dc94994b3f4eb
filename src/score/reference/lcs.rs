//! Longest common subsequences of words, 64 cells of the table at a time.
//!
//! Row i of the table of lengths is kept as bits: bit j is 0 where the length grows from column j to column j + 1 (Hyyrö 2004).
//! That is enough for the length and for walking back through the table exactly as a walk through the whole one would.

use hashbrown::HashMap;

/// The rows of the table for two lists of words, in bits.
pub(super) struct Table<'a> {
    rows: &'a [u32],
    columns: &'a [u32],
    /// Row by row, from the row of no words at all.
    bits: Vec<u64>,
    width: usize,
}

/// Where each word of the columns stands, as bits.
struct Places {
    numbers: HashMap<u32, usize>,
    bits: Vec<u64>,
    width: usize,
}

impl Places {
    fn new(columns: &[u32]) -> Self {
        let width = columns.len().div_ceil(64);
        let mut places = Self { numbers: HashMap::with_capacity(columns.len()), bits: Vec::new(), width };
        for (at, word) in columns.iter().enumerate() {
            let next = places.numbers.len();
            let number = *places.numbers.entry(*word).or_insert(next);
            if number == next {
                places.bits.resize((next + 1) * width, 0);
            }
            if let Some(bits) = places.bits.get_mut(number * width + at / 64) {
                *bits |= 1 << (at % 64);
            }
        }
        places
    }

    fn of(&self, word: u32) -> Option<&[u64]> {
        let number = *self.numbers.get(&word)?;
        self.bits.get(number * self.width..(number + 1) * self.width)
    }
}

/// The next row: `row` changes from that of the words before to that with one word more.
fn advance(row: &mut [u64], places: Option<&[u64]>) {
    let Some(places) = places else { return };
    let mut carry = false;
    for (bits, here) in row.iter_mut().zip(places) {
        let met = *bits & here;
        let (sum, over) = bits.overflowing_add(met);
        let (sum, again) = sum.overflowing_add(u64::from(carry));
        carry = over || again;
        *bits = sum | (*bits & !here);
    }
}

/// Zeros among the first `columns` bits.
fn zeros(row: &[u64], columns: usize) -> usize {
    let whole: u32 = row.iter().take(columns / 64).map(|bits| bits.count_zeros()).sum();
    let rest = row.get(columns / 64).map_or(0, |bits| (!bits & ((1 << (columns % 64)) - 1)).count_ones());
    whole as usize + rest as usize
}

/// Length of a longest common subsequence.
pub(super) fn length(rows: &[u32], columns: &[u32]) -> usize {
    let places = Places::new(columns);
    let mut row = vec![u64::MAX; places.width];
    for word in rows {
        advance(&mut row, places.of(*word));
    }
    zeros(&row, columns.len())
}

impl<'a> Table<'a> {
    pub(super) fn new(rows: &'a [u32], columns: &'a [u32]) -> Self {
        let places = Places::new(columns);
        let width = places.width;
        let mut bits = Vec::with_capacity((rows.len() + 1) * width);
        let mut row = vec![u64::MAX; width];
        bits.extend_from_slice(&row);
        for word in rows {
            advance(&mut row, places.of(*word));
            bits.extend_from_slice(&row);
        }
        Self { rows, columns, bits, width }
    }

    fn row(&self, at: usize) -> &[u64] {
        self.bits.get(at * self.width..(at + 1) * self.width).unwrap_or_default()
    }

    /// Whether the length grows from column `column` − 1 to `column` (which is at least 1) of a row.
    fn grows(&self, row: usize, column: usize) -> usize {
        let bits = self.row(row).get((column - 1) / 64).copied().unwrap_or(u64::MAX);
        usize::from(bits >> ((column - 1) % 64) & 1 == 0)
    }

    /// Marks the rows of the subsequence that is found by walking back from the end: together where the words are equal, else
    /// towards the greater length, and up where both are equal.
    pub(super) fn mark(&self, marks: &mut [bool]) {
        let (mut row, mut column) = (self.rows.len(), self.columns.len());
        if row == 0 || column == 0 {
            return;
        }
        let mut here = zeros(self.row(row), column);
        let mut above = zeros(self.row(row - 1), column);
        while row > 0 && column > 0 {
            let same = self.rows.get(row - 1) == self.columns.get(column - 1);
            if !same && here - self.grows(row, column) > above {
                here -= self.grows(row, column);
                above -= self.grows(row - 1, column);
                column -= 1;
                continue;
            }
            here = above;
            if same {
                if let Some(mark) = marks.get_mut(row - 1) {
                    *mark = true;
                }
                here -= self.grows(row - 1, column);
                column -= 1;
            }
            row -= 1;
            above = if row > 0 { zeros(self.row(row - 1), column) } else { 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The table of lengths, cell by cell.
    fn slowly(rows: &[u32], columns: &[u32]) -> (usize, Vec<bool>) {
        let mut table = vec![vec![0; columns.len() + 1]; rows.len() + 1];
        for i in 1..=rows.len() {
            for j in 1..=columns.len() {
                table[i][j] = if rows[i - 1] == columns[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    usize::max(table[i - 1][j], table[i][j - 1])
                };
            }
        }
        let (mut i, mut j, mut marks) = (rows.len(), columns.len(), vec![false; rows.len()]);
        while i > 0 && j > 0 {
            if rows[i - 1] == columns[j - 1] {
                marks[i - 1] = true;
                (i, j) = (i - 1, j - 1);
            } else if table[i][j - 1] > table[i - 1][j] {
                j -= 1;
            } else {
                i -= 1;
            }
        }
        (table[rows.len()][columns.len()], marks)
    }

    proptest! {
        #[test]
        fn bits_find_what_the_whole_table_finds(
            rows in prop::collection::vec(0_u32..6, 0..150), columns in prop::collection::vec(0_u32..6, 0..150),
        ) {
            let (expected, expected_marks) = slowly(&rows, &columns);
            prop_assert_eq!(length(&rows, &columns), expected);
            let mut marks = vec![false; rows.len()];
            Table::new(&rows, &columns).mark(&mut marks);
            prop_assert_eq!(marks, expected_marks);
        }
    }
}
