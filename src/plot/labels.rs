//! Numbers as labels of an axis.

/// A number as a label of an axis: `0.5`, `20`, `1k`, `2.5M`.
#[must_use]
pub fn short(number: f64) -> String {
    let (scale, letter) = match number.abs() {
        large if large >= 1e9 => (1e9, "G"),
        large if large >= 1e6 => (1e6, "M"),
        large if large >= 1e3 => (1e3, "k"),
        _ => (1.0, ""),
    };
    format!("{}{letter}", (number / scale * 1e6).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        for (number, label) in [(0.0, "0"), (0.5, "0.5"), (20.0, "20"), (1_000.0, "1k"), (2.5e6, "2.5M"), (1e10, "10G")]
        {
            assert_eq!(short(number), label);
        }
    }
}
