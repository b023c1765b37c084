use super::Bytes;
use supervisor::model::config::{RecordSplit, Split};
use supervisor::source::splitter::Splitter;
use supervisor::source::{BATCH_BYTES_MAX, Delivery};

/// The first bytes choose the split, the size of the reads and the number of items to ask for; the rest is the input.
pub fn splitter(data: &[u8]) {
    let mut data = Bytes(data);
    let (way, size, items_max) = (data.byte(), u64::from(data.byte()), 1 + u64::from(data.byte()));
    let delimiter = if way & 1 == 0 { b'\n' } else { data.byte() };
    let split = match way >> 1 & 3 {
        _ if way & 16 != 0 => {
            let (start, end) = (usize::from(data.byte() % 4), usize::from(data.byte() % 4));
            let (start, end) = (data.take(start).to_vec(), data.take(end).to_vec());
            Split::Records(RecordSplit { block_bytes: size, start, end })
        }
        0 | 1 => Split::Delimiter(delimiter),
        2 => Split::Block { bytes: size, delimiter: Some(delimiter) },
        _ => Split::Block { bytes: size, delimiter: None },
    };
    let priority = way & 8 != 0 && matches!(split, Split::Delimiter(_));
    let sizes = usize::from(data.byte() % 8);
    let sizes = data.take(sizes);
    let input = data.0;

    let (mut splitter, mut found) = (Splitter::new(split.clone(), priority), Deliveries::default());
    let (mut rest, mut sizes) = (input, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().map_or(usize::MAX, |size| 1 + usize::from(*size)).min(rest.len());
        splitter.push(&rest[..size]);
        rest = &rest[size..];
        found.drain(&mut splitter, &split, items_max);
    }
    splitter.finish();
    found.drain(&mut splitter, &split, items_max);
    match split {
        Split::Delimiter(delimiter) => found.check_lines(input, delimiter, priority),
        Split::Block { bytes, delimiter } => found.check_blocks(input, bytes.max(1) as usize, delimiter),
        Split::Records(records) => found.check_records(input, &records),
    }
}

#[derive(Default)]
struct Deliveries {
    items: Vec<(i64, Vec<u8>)>,
    rejected: usize,
}

impl Deliveries {
    fn drain(&mut self, splitter: &mut Splitter, split: &Split, items_max: u64) {
        while let Some(delivery) = splitter.next(items_max) {
            let payload = match delivery {
                Delivery::Items(payload) => payload,
                Delivery::Rejected(_) => {
                    self.rejected += 1;
                    continue;
                }
                other => panic!("a splitter never answers {other:?}"),
            };
            let bytes = &payload.block[payload.range.clone()];
            assert!(payload.count >= 1 && u64::from(payload.count) <= items_max);
            match split {
                Split::Delimiter(delimiter) if payload.count > 1 => {
                    assert!(bytes.len() <= BATCH_BYTES_MAX && payload.priority == 0);
                    let body = bytes.strip_suffix(&[*delimiter]).expect("each of several items is delimited");
                    let before = self.items.len();
                    self.items.extend(body.split(|byte| byte == delimiter).map(|item| (0, item.to_vec())));
                    assert_eq!(self.items.len() - before, payload.count as usize);
                }
                _ => {
                    assert_eq!(payload.count, 1);
                    self.items.push((payload.priority, bytes.to_vec()));
                }
            }
        }
    }

    fn check_lines(&self, input: &[u8], delimiter: u8, priority: bool) {
        let mut lines: Vec<&[u8]> = input.split(|byte| *byte == delimiter).collect();
        // After the last delimiter there is another item only if there are bytes.
        lines.pop_if(|last| last.is_empty());
        if !priority {
            assert_eq!(self.rejected, 0);
            assert!(self.items.iter().map(|(_, item)| item.as_slice()).eq(lines));
            return;
        }
        let split = |line: &[u8]| {
            let tab = line.iter().position(|byte| *byte == b'\t')?;
            let number = std::str::from_utf8(&line[..tab]).ok()?.trim().parse().ok()?;
            Some((number, line[tab + 1..].to_vec()))
        };
        let good: Vec<(i64, Vec<u8>)> = lines.iter().filter_map(|line| split(line)).collect();
        assert_eq!((&self.items, self.rejected), (&good, lines.len() - good.len()));
    }

    fn check_blocks(&self, input: &[u8], size: usize, delimiter: Option<u8>) {
        assert_eq!(self.rejected, 0);
        assert!(self.items.iter().flat_map(|(_, block)| block).eq(input), "blocks are the input");
        let Some((_, earlier)) = self.items.split_last() else { return };
        for (_, block) in earlier {
            match delimiter {
                None => assert_eq!(block.len(), size),
                Some(delimiter) => {
                    assert_eq!(block.last(), Some(&delimiter));
                    let is_cut_late = block.len() > size;
                    assert!(!is_cut_late || !block[..block.len() - 1].contains(&delimiter), "it could end earlier");
                }
            }
        }
    }

    fn check_records(&self, input: &[u8], records: &RecordSplit) {
        assert_eq!(self.rejected, 0);
        assert!(self.items.iter().flat_map(|(_, block)| block).eq(input), "blocks are the input");
        let mut at = 0;
        for (_, block) in &self.items[..self.items.len().saturating_sub(1)] {
            at += block.len();
            assert!(!block.is_empty() && block.ends_with(&records.end) && input[at..].starts_with(&records.start));
        }
    }
}
