//! The violations of today. The table may only shrink: an entry that no longer describes a violation is a violation
//! itself. A file that moves takes its entries along.

use super::Rule;

/// Sorted by rule, then by subject.
pub const KNOWN: &[(Rule, &str)] = &[
    (Rule::TypeName, "Body"),
    (Rule::TypeName, "End"),
    (Rule::TypeName, "Folder"),
    (Rule::TypeName, "FolderError"),
    (Rule::TypeName, "Items"),
    (Rule::TypeName, "ItemsIn"),
    (Rule::TypeName, "Kind"),
    (Rule::TypeName, "Message"),
    (Rule::TypeName, "Outbox"),
    (Rule::TypeName, "Part"),
    (Rule::TypeName, "Reader"),
    (Rule::TypeName, "Results"),
    (Rule::TypeName, "ResultsOut"),
    (Rule::TypeName, "Segment"),
    (Rule::TypeName, "WorkerItems"),
    (Rule::TypeName, "WorkerResults"),
    (Rule::TypeName, "Writer"),
];
