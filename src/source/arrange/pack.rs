//! Packs records into lists of arguments, each for one command.
//!
//! A list is full at a number of records, or when the next record would make its command line too long. Where command lines
//! are filled (`-X`, `-m`), the last one is spread over the slots, so that none of them is idle at the end.
//!
//! Invariant: at most one list and one record are held.

use crate::model::arrangement::Arrangement;

/// Measures command lines: `None` begins one, and an argument is added to it; `false`: it is too long now.
pub type LineMeter = Box<dyn FnMut(Option<&[u8]>) -> bool>;

/// Arguments, each followed by a NUL, of a number of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedList {
    pub bytes: Vec<u8>,
    /// Where each record ends in `bytes`.
    pub ends: Vec<usize>,
}

impl PackedList {
    /// Adds a record.
    pub fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.bytes[std::mem::replace(&mut start, end)..end])
    }
}

/// What became of a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PackedRecord {
    /// This list is full. The record may belong to it, or is held for the next one.
    pub full: Option<PackedList>,
    /// The command line is too long with this record alone, which is dropped.
    pub is_too_long: bool,
}

/// Makes lists of records.
pub struct ListPacker {
    records_max: Option<usize>,
    /// Lists are filled, and the last one is spread over this many slots.
    spreads: Option<usize>,
    /// The command sees nothing of the records.
    is_empty: bool,
    meter: Option<LineMeter>,
    list: PackedList,
}

impl ListPacker {
    /// `meter`: `None` where the length of a command line does not matter.
    #[must_use]
    pub fn new(arrangement: &Arrangement, slots: u32, meter: Option<LineMeter>) -> Self {
        let given = arrangement.records_max.filter(|records| *records > 0).or(arrangement.lines_max);
        let records_max = given.or(arrangement.fill.is_none().then_some(1));
        Self {
            records_max: records_max.map(|records| records.max(1) as usize),
            spreads: arrangement.fill.is_some().then_some(slots.max(1) as usize),
            is_empty: arrangement.records_max == Some(0),
            meter,
            list: PackedList::default(),
        }
    }

    /// Adds a record: its arguments, each followed by a NUL.
    pub fn push(&mut self, record: &[u8]) -> PackedRecord {
        let record = if self.is_empty { b"" } else { record };
        // A list that is filled is given away when the next record comes: the last one is spread.
        let mut full = self.is_full().then(|| self.take());
        if !self.fits(record) {
            if full.is_none() && !self.list.ends.is_empty() {
                full = Some(self.take());
            }
            self.begin_line();
            if !self.fits(record) {
                self.begin_line();
                return PackedRecord { full, is_too_long: true };
            }
        }
        self.list.push(record);
        if full.is_none() && self.spreads.is_none() && self.is_full() {
            full = Some(self.take());
        }
        PackedRecord { full, is_too_long: false }
    }

    fn is_full(&self) -> bool {
        self.records_max.is_some_and(|max| self.list.ends.len() >= max)
    }

    /// The lists that are left when no record follows.
    pub fn finish(&mut self) -> Vec<PackedList> {
        let list = self.take();
        let count = list.ends.len();
        let size = self.spreads.map_or(count, |slots| count.div_ceil(slots)).max(1);
        let mut lists: Vec<PackedList> = Vec::new();
        for (index, record) in list.records().enumerate() {
            if index % size == 0 {
                lists.push(PackedList::default());
            }
            if let Some(last) = lists.last_mut() {
                last.push(record);
            }
        }
        lists
    }

    fn take(&mut self) -> PackedList {
        self.begin_line();
        std::mem::take(&mut self.list)
    }

    fn begin_line(&mut self) {
        if let Some(meter) = &mut self.meter {
            meter(None);
        }
    }

    fn fits(&mut self, record: &[u8]) -> bool {
        let Some(meter) = &mut self.meter else { return true };
        record
            .split_inclusive(|byte| *byte == 0)
            .all(|argument| meter(Some(argument.strip_suffix(&[0]).unwrap_or(argument))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arrangement::LineFill;

    /// The lists of the records `1`, `2`, ... of a number, or of words; each list with its arguments behind one another.
    fn lists(arrangement: &Arrangement, slots: u32, line_bytes_max: usize, records: &[&str]) -> String {
        let mut bytes = 0;
        let meter: LineMeter = Box::new(move |argument| {
            // A command of four bytes.
            bytes = argument.map_or(5, |argument| bytes + argument.len() + 1);
            bytes <= line_bytes_max
        });
        let mut packer = ListPacker::new(arrangement, slots, Some(meter));
        packer.begin_line();
        let mut found = Vec::new();
        for record in records {
            let packed = packer.push(format!("{}\0", record.replace(' ', "\0")).as_bytes());
            found.extend(packed.full);
            if packed.is_too_long {
                found.push(PackedList { bytes: b"!".to_vec(), ends: vec![1] });
            }
        }
        found.extend(packer.finish());
        let shown =
            found.iter().map(|list| String::from_utf8_lossy(&list.bytes).trim_end_matches('\0').replace('\0', " "));
        shown.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn lists_are_cut_by_number_and_by_length() {
        let none = Arrangement::default();
        let by = |records| Arrangement { records_max: Some(records), ..Arrangement::default() };
        let fill = |fill, records_max| Arrangement { fill: Some(fill), records_max, ..Arrangement::default() };
        let six = ["1", "2", "3", "4", "5", "6"];
        for (arrangement, slots, line_bytes_max, records, expected) in [
            (none.clone(), 2, 99, &six[..], "1|2|3|4|5|6"),
            (by(2), 2, 99, &six[..5], "1 2|3 4|5"),
            (by(2), 2, 99, &["a b", "c d", "e f"], "a b c d|e f"),
            (by(9), 2, 99, &[], ""),
            (Arrangement { lines_max: Some(4), ..none.clone() }, 2, 99, &six, "1 2 3 4|5 6"),
            // -n counts more than -L.
            (Arrangement { lines_max: Some(4), ..by(5) }, 2, 99, &six, "1 2 3 4 5|6"),
            // As `parallel -j2 -X` and `-j3 -m`.
            (fill(LineFill::Repeat, None), 2, 99, &six[..5], "1 2 3|4 5"),
            (fill(LineFill::Join, None), 3, 99, &six[..4], "1 2|3 4"),
            (fill(LineFill::Repeat, Some(3)), 2, 99, &six[..5], "1 2 3|4|5"),
            (fill(LineFill::Repeat, Some(3)), 2, 99, &six, "1 2 3|4 5|6"),
            (fill(LineFill::Repeat, None), 1, 99, &six, "1 2 3 4 5 6"),
            (fill(LineFill::Repeat, None), 9, 99, &six, "1|2|3|4|5|6"),
            // As `parallel -j1 -s 12 -X echo` and `-s 12 -n2`.
            (fill(LineFill::Repeat, None), 1, 12, &six, "1 2 3|4 5 6"),
            (by(2), 1, 12, &["111", "222", "3", "4", "5", "6"], "111|222 3|4 5|6"),
            (none.clone(), 1, 10, &["111", "222222", "3"], "111|!|3"),
            (by(3), 1, 10, &["1", "222222", "3", "4"], "1|!|3 4"),
        ] {
            assert_eq!(lists(&arrangement, slots, line_bytes_max, records), expected, "{arrangement:?} {slots}");
        }
        let mut nothing = ListPacker::new(&by(0), 1, None);
        assert_eq!(nothing.push(b"a\0").full, Some(PackedList { bytes: Vec::new(), ends: vec![0] }));
    }
}
