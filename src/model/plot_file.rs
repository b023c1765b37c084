//! A file for a plot: the end of its name says what is written into it.

#![deny(missing_docs)]

use std::ffi::OsString;
use std::path::PathBuf;

/// What a plot is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlotFormat {
    /// Lines and text, for a browser.
    Svg,
    /// Pixels.
    Png,
}

/// Where a plot goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlotFile {
    /// A file that exists is overwritten.
    pub path: PathBuf,
    /// As the name says.
    pub format: PlotFormat,
}

impl PlotFile {
    /// Of a name that ends in `.svg` or `.png`, in any case; `None` for any other.
    #[must_use]
    pub fn of(name: OsString) -> Option<Self> {
        let path = PathBuf::from(name);
        let end = path.extension()?.to_str()?.to_ascii_lowercase();
        let format = match end.as_str() {
            "svg" => PlotFormat::Svg,
            "png" => PlotFormat::Png,
            _ => return None,
        };
        Some(Self { path, format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_name_is_the_format() {
        let format = |name: &str| PlotFile::of(name.into()).map(|file| file.format);
        assert_eq!(format("a/b.svg"), Some(PlotFormat::Svg));
        assert_eq!(format("b.PNG"), Some(PlotFormat::Png));
        for name in ["", "svg", ".svg", "a.jpg", "a.svg/", "a.svg/b", "-"] {
            let expected = if name == "a.svg/" { Some(PlotFormat::Svg) } else { None };
            assert_eq!(format(name), expected, "{name}");
        }
    }
}
